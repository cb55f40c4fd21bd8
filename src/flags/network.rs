//! Networks of addresses: `10.0.0.0/8`, `2001:db8::/32`, one address alone. Values, no connections.

use core::net::IpAddr;

/// A network, as its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) is_v6: bool,
    /// The address, an IPv4 address in the low 32 bits.
    pub(super) bits: u128,
    /// How many of the first bits count: at most 32 or 128.
    pub(super) length: u8,
}

impl Network {
    /// Reads a network or an address. An IPv4 address that is written as an IPv6 address (`::ffff:…`) is an IPv4 address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let Some(length) = length else { return Self::of_address(address) };
        let is_number = (1..=3).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u8 = if is_number { length.parse().ok()? } else { return None };
        let (is_v6, bits) = match address.parse().ok()? {
            IpAddr::V4(address) => (false, u128::from(address.to_bits())),
            IpAddr::V6(address) => (true, address.to_bits()),
        };
        (length <= if is_v6 { 128 } else { 32 }).then_some(Self { is_v6, bits, length })
    }

    /// Reads one address.
    pub(super) fn of_address(text: &str) -> Option<Self> {
        Some(match text.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => Self { is_v6: false, bits: address.to_bits().into(), length: 32 },
            IpAddr::V6(address) => Self { is_v6: true, bits: address.to_bits(), length: 128 },
        })
    }

    /// Whether an address, read by [`Network::of_address`], is in this network.
    pub(super) const fn has(self, address: Self) -> bool {
        let width: u32 = if self.is_v6 { 128 } else { 32 };
        let Some(shift) = width.checked_sub(self.length as u32) else { return false };
        let differs = self.bits ^ address.bits;
        self.is_v6 == address.is_v6 && (shift >= 128 || differs >> shift == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_their_networks() {
        for (network, address, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("160.33.0.0/16", "160.33.0.33", true),
            ("160.33.0.0/16", "160.34.0.1", false),
            ("160.33.9.9/16", "160.33.0.1", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:0:1::42", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:0db8:0:0:0:0:0:1", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let (network, address) = (Network::parse(network).unwrap(), Network::of_address(address).unwrap());
            assert_eq!(network.has(address), expected, "{network:?} {address:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in [
            "",
            "127.invalid",
            "bad::cidr",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "010.0.0.1",
            "10.0.0.1/8/8",
            "1.2.3.4 ",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
