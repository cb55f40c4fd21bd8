//! Tables as bytes: what is compiled once, when flags are published, and loaded by every isolate.
//!
//! ```text
//! "SWFLAGS\n"   format u32 = 1   hash u32 = 1   length of the body u32   two checksums u32   body
//! ```
//!
//! All numbers are little-endian. The body is the tables, each with the number of its rows. Both checksums are the
//! `MurmurHash3` of `bucket` over all but themselves, with different seeds: they find damage, not malice. Against that every
//! position is checked: bytes are a whole set of flags or are refused, and a reader keeps what it has.

mod rows;
mod sound;

use std::fmt;

use super::bucket;
use super::model::TEXT_MAX;
use super::table::Table;
use rows::{Reader, Row};

const MAGIC: &[u8; 8] = b"SWFLAGS\n";
/// The format that this release writes, and the only one that there is.
const FORMAT: u32 = 1;
/// How ids are hashed.
const HASH: u32 = 1;
const HEADER: usize = 28;
/// Longest snapshot, in bytes.
pub const SNAPSHOT_MAX: usize = 4 * TEXT_MAX;

/// Why bytes are no snapshot that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They are none, too long, or were cut.
    Form,
    /// A newer release wrote them, or users are hashed in another way.
    Newer,
    /// They were damaged.
    Checksum,
    /// What they say cannot be.
    Content,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "these bytes have not the form of a snapshot of flags, or were cut",
            Self::Newer => "a newer release wrote this snapshot of flags: publish the flags again by this one",
            Self::Checksum => "this snapshot of flags was damaged: its checksum is not that of its content",
            Self::Content => "this snapshot of flags says what cannot be",
        })
    }
}

impl Table {
    /// The snapshot.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        rows::write(self, &mut body);
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(MAGIC);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        for number in [FORMAT, HASH, length] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for sum in checksums(&bytes, &body) {
            bytes.extend_from_slice(&sum.to_le_bytes());
        }
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads a snapshot, all of it or nothing. Takes memory in proportion to `bytes`, whatever they say.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when these bytes are not what [`Table::encode`] gives for flags that can be.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let (header, body) = bytes.split_at_checked(HEADER).ok_or(Refusal::Form)?;
        let (said, sums) = header.split_at(HEADER - 8);
        let numbers = said.strip_prefix(MAGIC).ok_or(Refusal::Form)?;
        let mut numbers = numbers.chunks_exact(4).map(little);
        let (format, hash, length) = (numbers.next(), numbers.next(), numbers.next());
        if (format, hash) != (Some(FORMAT), Some(HASH)) {
            return Err(Refusal::Newer);
        }
        if bytes.len() > SNAPSHOT_MAX || length.map(|length| length as usize) != Some(body.len()) {
            return Err(Refusal::Form);
        }
        if !sums.chunks_exact(4).map(little).eq(checksums(said, body)) {
            return Err(Refusal::Checksum);
        }
        let mut reader = Reader::new(body);
        let table = rows::read(&mut reader).ok_or(Refusal::Content)?;
        if sound::is_sound(&table) { Ok(table) } else { Err(Refusal::Content) }
    }
}

fn checksums(header: &[u8], body: &[u8]) -> [u32; 2] {
    bucket::checksums(header, body, [0x5EA_0A11, 0xF1A6_0000])
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Puts the right checksums onto bytes that somebody changed: what a hostile writer would do. For tests and fuzzers.
#[doc(hidden)]
pub fn seal(bytes: &mut [u8]) {
    let Some((header, body)) = bytes.split_at_mut_checked(HEADER) else { return };
    let (said, sums) = header.split_at_mut(HEADER - 8);
    if let Some(length) = said.last_chunk_mut::<4>() {
        *length = (body.len() as u32).to_le_bytes();
    }
    for (place, sum) in sums.chunks_exact_mut(4).zip(checksums(said, body)) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// Something that can be one of a few, as a small number.
fn place_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|found| found == one).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

/// Rows of one table.
fn write_all<T: Row>(rows: &[T], out: &mut Vec<u8>) {
    (rows.len() as u64).write(out);
    rows.iter().for_each(|row| row.write(out));
}
