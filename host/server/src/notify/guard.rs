//! Where webhooks may go. Whoever sets preferences must not be able to make the service talk to
//! what only the service can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Whether addresses will do that are not public.
    pub allows_private: bool,
}

impl Guard {
    pub fn allows(self, ip: IpAddr) -> bool {
        self.allows_private || is_public(ip)
    }

    /// Reads a URL and says what is wrong with it, as far as one can tell before its name is
    /// looked up.
    pub fn check(self, url: &str) -> Result<Uri, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "is not a URL")?;
        let authority = uri.authority().ok_or("has no host")?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("is neither an http nor an https URL");
        }
        if authority.as_str().contains('@') {
            return Err("must not have a user name or a password in it");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        match host.parse() {
            Ok(ip) if !self.allows(ip) => Err("leads to an address that is not public"),
            _ => Ok(uri),
        }
    }
}

/// Whether an address is somebody's in the internet, and not of this machine or network, or of
/// no machine at all.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Without what IANA's registry of special addresses says is not globally reachable.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18))
}

/// Only what is assigned for global use (2000::/3), without what stands for an IPv4 address: it is
/// judged as that one.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)),
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        [0x2001, 0xdb8, ..] | [0x2001, 0..=0x1ff, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_network_are_not_public() {
        for public in ["1.1.1.1", "192.0.1.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_before_it_is_used() {
        let guard = Guard { allows_private: false };
        for good in ["https://example.com/hook?x=1", "http://8.8.8.8:8080"] {
            assert!(guard.check(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://127.0.0.1/", "not public"),
            ("http://[::1]:80/", "not public"),
            ("https://ann:secret@example.com/", "password"),
            ("ftp://example.com/", "neither"),
            ("/hook", "no host"),
            ("http://exa mple.com", "not a URL"),
        ] {
            let said = guard.check(bad).unwrap_err();
            assert!(said.contains(why), "{bad} {said}");
        }
        let open = Guard { allows_private: true };
        assert!(open.check("http://127.0.0.1/").is_ok());
    }
}
