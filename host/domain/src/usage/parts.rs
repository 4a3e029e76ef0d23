//! Which tokens are part of which: their names tell.
//!
//! A name is put together of a direction, a modality, a kind, and how long a cache keeps it:
//! `cache_audio_write_1h_tokens`. One that says all that another says, and more, is a part of it.

/// What a name says; what it does not say is `None`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens<'n> {
    direction: &'static str,
    modality: Option<&'n str>,
    kind: Option<&'n str>,
    time_to_live: Option<&'n str>,
}

impl<'n> Tokens<'n> {
    /// `None` where the name is not one of tokens, or says something unheard of.
    pub fn of(name: &'n str) -> Option<Self> {
        let mut words = name.strip_suffix("_tokens")?.split('_');
        let first = words.next()?;
        let direction = if first == "output" { "output" } else { "input" };
        let mut tokens = Self { direction, modality: None, kind: None, time_to_live: None };
        for word in words {
            let place = match (first, word) {
                (_, "text" | "audio" | "image" | "video") => &mut tokens.modality,
                ("input", "tool") | ("output", "reasoning" | "citation") => &mut tokens.kind,
                ("cache", "read" | "write") => &mut tokens.kind,
                ("cache", "5m" | "1h") => &mut tokens.time_to_live,
                _ => return None,
            };
            *place = Some(word);
        }
        let is_whole = match first {
            "input" | "output" => true,
            "cache" => tokens.kind.is_some(),
            _ => false,
        };
        is_whole.then_some(tokens)
    }

    /// Whether these are more than all of `part`, and not the same.
    pub fn contain(&self, part: &Self) -> bool {
        let says = |whole: Option<&str>, part: Option<&str>| whole.is_none() || whole == part;
        self != part
            && self.direction == part.direction
            && says(self.modality, part.modality)
            && says(self.kind, part.kind)
            && says(self.time_to_live, part.time_to_live)
    }
}

#[cfg(test)]
mod tests {
    use super::Tokens;

    #[test]
    fn a_name_that_says_all_that_another_says_is_a_part_of_it() {
        let contain = |total: &str, part: &str| {
            Tokens::of(total).unwrap().contain(&Tokens::of(part).unwrap())
        };
        for (total, part) in [
            ("input_tokens", "input_audio_tokens"),
            ("input_tokens", "cache_audio_write_1h_tokens"),
            ("input_audio_tokens", "cache_audio_read_tokens"),
            ("cache_write_tokens", "cache_write_5m_tokens"),
            ("output_tokens", "output_image_reasoning_tokens"),
            ("output_reasoning_tokens", "output_image_reasoning_tokens"),
            ("input_tokens", "input_tool_tokens"),
        ] {
            assert!(contain(total, part), "{total} {part}");
            assert!(!contain(part, total), "{part} {total}");
        }
        for (total, part) in [
            ("input_tokens", "input_tokens"),
            ("input_tokens", "output_audio_tokens"),
            ("input_audio_tokens", "cache_read_tokens"),
            ("cache_write_5m_tokens", "cache_write_1h_tokens"),
        ] {
            assert!(!contain(total, part), "{total} {part}");
        }
        for unheard in ["calls", "cache_tokens", "input_smell_tokens", "tokens", "seconds"] {
            assert!(Tokens::of(unheard).is_none(), "{unheard}");
        }
    }
}
