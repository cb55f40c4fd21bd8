//! Where a user falls: `MurmurHash3` (x86, 32 bits; Austin Appleby, public domain) of `salt:id`, and its bucket of a million.
//!
//! ```text
//! enrol    seed 0            r = hash % 1_000_000   bucket = (r % 100)  * 10_000 + r / 100
//! variant  seed 86_028_157   r = hash % 1_000_000   bucket = (r % 1000) *  1_000 + r / 1000
//! ```
//!
//! Whether a user is in and what it gets are two hashes, so more users come in without anybody's variant changing. The
//! digits are turned around so that `bucket / 10_000` is `hash % 100`, by which Unleash decides: at each whole percent both
//! say the same, and fractions refine inside. This is `hash: 1` of a document, and never changes; another way to hash would be `hash: 2`.
//!
//! The salt is hashed when flags are compiled: [`Prefix`] is what is left to go on from.

use std::fmt;

/// Buckets of both hashes: one is 0.0001 %.
pub const BUCKETS: u32 = 1_000_000;
/// The seed of the hash that says who is in.
pub const ENROL_SEED: u32 = 0;
/// The seed of the hash that says which variant.
pub const VARIANT_SEED: u32 = 86_028_157;

/// A share of users in millionths: 0 is nobody, 1,000,000 everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(BUCKETS);

    /// So many millionths; none above 1,000,000.
    #[must_use]
    pub const fn of_millionths(millionths: u32) -> Option<Self> {
        if millionths <= BUCKETS { Some(Self(millionths)) } else { None }
    }

    /// So many whole percent; none above 100.
    #[must_use]
    pub const fn of_percent(percent: u32) -> Option<Self> {
        if percent <= 100 { Some(Self(percent * 10_000)) } else { None }
    }

    /// From 0 to 1,000,000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

/// In percent, as short as it can be: `25`, `0.0001`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:04}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// `MurmurHash3` after some bytes, from which it goes on with more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The state after all whole blocks of four bytes.
    pub(super) state: u32,
    /// The bytes of the block that is not full yet, the first one lowest.
    pub(super) rest: u32,
    /// Bytes so far, modulo 2^32.
    pub(super) length: u32,
}

impl Prefix {
    /// After `salt` and the colon.
    #[must_use]
    pub fn new(salt: &str, seed: u32) -> Self {
        Self { state: seed, rest: 0, length: 0 }.after(salt.as_bytes()).after(b":")
    }

    /// The hash of all bytes so far and those of `id`.
    #[must_use]
    #[inline]
    pub fn hash(self, id: &str) -> u32 {
        self.after(id.as_bytes()).end()
    }

    #[inline]
    const fn end(self) -> u32 {
        let Self { state, rest, length } = self;
        let mut hash = (state ^ scrambled(rest)) ^ length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        hash ^ (hash >> 16)
    }

    #[inline]
    fn after(self, bytes: &[u8]) -> Self {
        let mut held = self.length & 3;
        let (mut state, mut rest) = (self.state, u64::from(self.rest));
        let (blocks, remainder) = bytes.as_chunks::<4>();
        for block in blocks {
            rest |= u64::from(u32::from_le_bytes(*block)) << (8 * held);
            state = mixed(state, rest as u32);
            rest >>= 32;
        }
        for &byte in remainder {
            rest |= u64::from(byte) << (8 * held);
            held += 1;
        }
        if held >= 4 {
            state = mixed(state, rest as u32);
            rest >>= 32;
        }
        Self { state, rest: rest as u32, length: self.length.wrapping_add(bytes.len() as u32) }
    }
}

/// The hashes of a header and what is behind it by two seeds, in one go: a block is scrambled once for both.
pub(super) fn checksums(header: &[u8], body: &[u8], seeds: [u32; 2]) -> [u32; 2] {
    let [mut one, mut other] = seeds.map(|state| Prefix { state, rest: 0, length: 0 }.after(header));
    // Where the header ends within a block, the body's blocks are not those of the hash.
    if one.length.is_multiple_of(4) {
        let (blocks, rest) = body.as_chunks::<4>();
        for block in blocks {
            let block = scrambled(u32::from_le_bytes(*block));
            one.state = stirred(one.state, block);
            other.state = stirred(other.state, block);
        }
        let length = 4 * blocks.len() as u32;
        return [one, other].map(|sum| Prefix { length: sum.length.wrapping_add(length), ..sum }.after(rest).end());
    }
    [one, other].map(|sum| sum.after(body).end())
}

#[inline]
const fn scrambled(block: u32) -> u32 {
    block.wrapping_mul(0xCC9E_2D51).rotate_left(15).wrapping_mul(0x1B87_3593)
}

#[inline]
const fn mixed(state: u32, block: u32) -> u32 {
    stirred(state, scrambled(block))
}

#[inline]
const fn stirred(state: u32, scrambled: u32) -> u32 {
    (state ^ scrambled).rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64)
}

/// The bucket that says whether somebody is in, from a hash by [`ENROL_SEED`]. Below 1,000,000.
#[must_use]
#[inline]
pub const fn enrol_bucket(hash: u32) -> u32 {
    let r = hash % BUCKETS;
    r % 100 * 10_000 + r / 100
}

/// Whether the bucket of a hash by [`ENROL_SEED`] is below `percent` whole percents and `rest` millionths, which are below 10,000:
/// the same as to compare [`enrol_bucket`], and sooner known where the rest is 0.
#[must_use]
#[inline]
pub const fn is_enrolled(hash: u32, percent: u32, rest: u32) -> bool {
    let whole = hash % 100;
    (whole < percent) | (rest > 0 && whole == percent && hash % BUCKETS / 100 < rest)
}

/// The bucket that says which variant somebody gets, from a hash by [`VARIANT_SEED`]. Below 1,000,000.
#[must_use]
#[inline]
pub const fn variant_bucket(hash: u32) -> u32 {
    let r = hash % BUCKETS;
    r % 1_000 * 1_000 + r / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FLG-06: by H096, hash 1 is what another implementation says, for every kind of id, and never changes.
    #[test]
    fn golden_vectors_hold() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/flags/buckets.json")).unwrap();
        assert_eq!(document["hash"], 1);
        let vectors = document["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 300);
        for vector in vectors {
            let (salt, id) = (vector["salt"].as_str().unwrap(), vector["id"].as_str().unwrap());
            let enrol = Prefix::new(salt, ENROL_SEED).hash(id);
            let variant = Prefix::new(salt, VARIANT_SEED).hash(id);
            let found = [enrol, enrol_bucket(enrol), variant, variant_bucket(variant)];
            let expected =
                ["enrol", "enrolBucket", "variant", "variantBucket"].map(|name| vector[name].as_u64().unwrap());
            assert_eq!(found.map(u64::from), expected, "{vector}");
        }
        // Of a file that nobody edits.
        let text = include_bytes!("../../tests/fixtures/flags/buckets.json");
        let digest = <sha2::Sha256 as sha2::Digest>::digest(text);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "6847f2935cc591ddae18249140b7c0c5a79afa2461419f8b72400a0ab262d993");
    }

    #[test]
    fn a_prefix_goes_on_where_it_stopped() {
        let text = "0123456789";
        for split in 0..=text.len() {
            let start = Prefix { state: 7, rest: 0, length: 0 };
            assert_eq!(start.after(&text.as_bytes()[..split]).hash(&text[split..]), start.hash(text), "{split}");
        }
    }

    #[test]
    fn two_sums_in_one_go_are_those_of_one_after_the_other() {
        let bytes: Vec<u8> = (0..64_u32).map(|n| (n * 37 % 251) as u8).collect();
        for header in 0..9 {
            for end in header..=bytes.len() {
                let text = |bytes: &[u8]| bytes.to_vec();
                let (head, body) = (text(&bytes[..header]), text(&bytes[header..end]));
                let expected = [7, 0xF1A6_0000].map(|state| {
                    let all = [&head[..], &body[..]].concat();
                    Prefix { state, rest: 0, length: 0 }.after(&all).end()
                });
                assert_eq!(checksums(&head, &body, [7, 0xF1A6_0000]), expected, "{header} {end}");
            }
        }
    }

    /// FLG-06: at each whole percent the decision is that of Unleash: `hash % 100 + 1 <= percent`, and in thousandths for variants.
    #[test]
    fn whole_percents_are_those_of_unleash() {
        for n in 0..100_000_u32 {
            let hash = crate::rng::mix(u64::from(n)) as u32;
            let bucket = enrol_bucket(hash);
            assert_eq!(bucket / 10_000, hash % 100);
            assert_eq!(variant_bucket(hash) / 1_000, hash % 1_000);
            let percent = n % 101;
            assert_eq!(bucket < Share::of_percent(percent).unwrap().millionths(), hash % 100 < percent);
        }
    }

    #[test]
    fn whoever_is_enrolled_has_a_bucket_below_the_share() {
        for n in 0..200_000_u32 {
            let hash = crate::rng::mix(u64::from(n)) as u32;
            let bucket = enrol_bucket(hash);
            for share in [0, 1, 9_999, 10_000, 10_001, 255_000, 999_999, BUCKETS, bucket, bucket + 1] {
                assert_eq!(is_enrolled(hash, share / 10_000, share % 10_000), bucket < share, "{hash} {share}");
            }
        }
    }

    #[test]
    fn shares_are_shown_in_percent() {
        for (millionths, text) in [(0, "0"), (1, "0.0001"), (255_000, "25.5"), (1_000_000, "100"), (10, "0.001")] {
            assert_eq!(Share::of_millionths(millionths).unwrap().to_string(), text);
        }
        assert_eq!(Share::of_millionths(1_000_001), None);
        assert_eq!(Share::of_percent(101), None);
    }

    /// How many of a million ids are in at that many percent of `salt`.
    fn enrolled(salt: &str, percent: u32) -> Vec<bool> {
        let prefix = Prefix::new(salt, ENROL_SEED);
        let share = Share::of_percent(percent).unwrap().millionths();
        (0..1_000_000).map(|n| enrol_bucket(prefix.hash(&format!("user-{n}"))) < share).collect()
    }

    fn count(found: impl IntoIterator<Item = bool>) -> f64 {
        found.into_iter().filter(|&is_in| is_in).count() as f64
    }

    /// FLG-06: by H098, of a million ids, the share that is in lies within the 99.9 % interval; whoever is in stays in.
    #[test]
    fn shares_are_met_and_only_grow() {
        let mut before: Option<Vec<bool>> = None;
        for percent in [1, 5, 25, 50, 99] {
            let found = enrolled("new-checkout", percent);
            let p = f64::from(percent) / 100.0;
            let deviation = (1_000_000.0 * p * (1.0 - p)).sqrt();
            let distance = (count(found.iter().copied()) - 1_000_000.0 * p).abs();
            assert!(distance < 3.291 * deviation, "{percent} %: {distance} from what it should be");
            if let Some(before) = before {
                assert!(before.iter().zip(&found).all(|(&was, &is)| is || !was), "{percent} %");
            }
            before = Some(found);
        }
    }

    /// FLG-06: who is in by one flag is not likelier to be in by another.
    #[test]
    fn two_flags_are_independent() {
        let (one, other) = (enrolled("one", 25), enrolled("other", 25));
        let both = count(one.iter().zip(&other).map(|(&one, &other)| one && other));
        let expected = count(one) * count(other) / 1_000_000.0;
        assert!((both - expected).abs() < 3.291 * (1_000_000.0_f64 * 0.0625 * 0.9375).sqrt(), "{both} {expected}");
    }
}
