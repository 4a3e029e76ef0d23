//! How far a command has come with the ledger's blocks.

use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, hidden where that is no terminal.
pub fn of_blocks(doing: &'static str) -> Result<ProgressBar, TemplateError> {
    let style = ProgressStyle::with_template(
        "{elapsed_precise} {msg} {wide_bar} {human_pos}/{human_len} blocks, {eta} left",
    )?;
    Ok(ProgressBar::no_length().with_style(style).with_message(doing))
}
