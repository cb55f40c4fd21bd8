//! Snapshots as bytes, and as text for stores that hold text.
//!
//! ```text
//! "SW"  version u8 = 1  reserved u8 = 0  section*  checksum u32 (FNV-1a of all before it)
//! section = tag u8, length u16, payload        tag 1: cells   2: health   3: sketch   others: kept as they are
//! cell    = id u32, generation u32, phase u8, round u8, until u48, opened_at u48, writer u32
//! epoch   = number u32, ids u8, id u32*
//! slice   = number u32, reporters u8, (id u32, healthy u32, failing u32, slow u32, duration u32, latency 14 × u16)*
//! ```
//!
//! Little-endian. Text is base64url without padding. Anything that does not fit is refused whole: a reader never
//! gets half a snapshot.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::schema::{CELLS_MAX, Cell, Health, LATENCY_BUCKETS, Phase, REPORTERS_MAX, SLICES_MAX, Seen, Snapshot};
use super::sketch::{EPOCHS_MAX, IDS_MAX, Sketch};
use crate::clock::Instant;

const MAGIC: [u8; 2] = *b"SW";
const VERSION: u8 = 1;
const TAG_CELLS: u8 = 1;
const TAG_HEALTH: u8 = 2;
const TAG_SKETCH: u8 = 3;

/// Longer input is refused unread, in bytes; a full snapshot of version 1 has under 9,000.
pub const BYTES_MAX: usize = 32_768;

/// Why bytes are not a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Longer than [`BYTES_MAX`].
    TooLong,
    /// Not base64url.
    NotText,
    /// Does not begin as a snapshot does.
    NotOurs,
    /// Written by a version that this one cannot read.
    Newer,
    /// The checksum differs.
    Damaged,
    /// A length, a count or a value is out of range.
    OutOfRange,
}

/// Writes a snapshot as text.
#[must_use]
pub fn to_text(snapshot: &Snapshot) -> String {
    URL_SAFE_NO_PAD.encode(encode(snapshot))
}

/// Reads text that [`to_text`] wrote.
///
/// # Errors
///
/// [`Malformed`] for anything else; garbage never panics.
#[inline(never)] // A copy in each caller is 0.2 KB of what JavaScript loads.
pub fn from_text(text: &str) -> Result<Snapshot, Malformed> {
    if text.len() > BYTES_MAX / 3 * 4 + 4 {
        return Err(Malformed::TooLong);
    }
    decode(&URL_SAFE_NO_PAD.decode(text.trim_ascii()).map_err(|_| Malformed::NotText)?)
}

/// Writes a snapshot as bytes.
#[must_use]
pub fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend(MAGIC);
    bytes.extend([VERSION, 0]);
    section(&mut bytes, TAG_CELLS, &cells_to_bytes(snapshot));
    section(&mut bytes, TAG_HEALTH, &health_to_bytes(&snapshot.health));
    section(&mut bytes, TAG_SKETCH, &sketch_to_bytes(&snapshot.sketch));
    for (tag, payload) in &snapshot.unknown {
        section(&mut bytes, *tag, payload);
    }
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Reads bytes that [`encode`] wrote.
///
/// # Errors
///
/// [`Malformed`] for anything else.
pub fn decode(bytes: &[u8]) -> Result<Snapshot, Malformed> {
    if bytes.len() > BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Malformed::NotOurs)?;
    let mut reader = Reader { rest: body };
    if reader.take::<2>().map_err(|_| Malformed::NotOurs)? != MAGIC {
        return Err(Malformed::NotOurs);
    }
    if reader.u8()? > VERSION {
        return Err(Malformed::Newer);
    }
    if checksum(body) != u32::from_le_bytes(*sum) {
        return Err(Malformed::Damaged);
    }
    reader.u8()?;
    let mut snapshot = Snapshot::default();
    while !reader.rest.is_empty() {
        let tag = reader.u8()?;
        let length = usize::from(reader.u16()?);
        let mut payload = Reader { rest: reader.slice(length)? };
        match tag {
            TAG_CELLS => read_cells(&mut payload, &mut snapshot)?,
            TAG_HEALTH => read_health(&mut payload, &mut snapshot.health)?,
            TAG_SKETCH => read_sketch(&mut payload, &mut snapshot.sketch)?,
            _ => {
                snapshot.unknown.insert(tag, payload.rest.to_vec());
            }
        }
    }
    Ok(snapshot)
}

fn section(bytes: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    let Ok(length) = u16::try_from(payload.len()) else { return };
    if length > 0 {
        bytes.push(tag);
        bytes.extend(length.to_le_bytes());
        bytes.extend(payload);
    }
}

fn cells_to_bytes(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, cell) in &snapshot.cells {
        bytes.extend(id.to_le_bytes());
        bytes.extend(cell.generation.to_le_bytes());
        bytes.extend([cell.phase as u8, cell.round]);
        put_time(&mut bytes, cell.until);
        put_time(&mut bytes, cell.opened_at);
        bytes.extend(cell.writer.to_le_bytes());
    }
    bytes
}

fn read_cells(reader: &mut Reader<'_>, snapshot: &mut Snapshot) -> Result<(), Malformed> {
    while !reader.rest.is_empty() {
        let id = reader.u32()?;
        let cell = Cell {
            generation: reader.u32()?,
            phase: match reader.u8()? {
                0 => Phase::Open,
                1 => Phase::Closed,
                _ => return Err(Malformed::OutOfRange),
            },
            round: reader.u8()?,
            until: reader.time()?,
            opened_at: reader.time()?,
            writer: reader.u32()?,
        };
        if snapshot.cells.insert(id, cell).is_some() || snapshot.cells.len() > CELLS_MAX {
            return Err(Malformed::OutOfRange);
        }
    }
    Ok(())
}

fn health_to_bytes(health: &Health) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (slice, reporters) in &health.slices {
        bytes.extend(slice.to_le_bytes());
        bytes.push(u8::try_from(reporters.len()).unwrap_or(u8::MAX));
        for (id, seen) in reporters.iter().take(usize::from(u8::MAX)) {
            for number in [*id, seen.healthy, seen.failing, seen.slow, seen.duration_ms] {
                bytes.extend(number.to_le_bytes());
            }
            for count in seen.latency {
                bytes.extend(count.to_le_bytes());
            }
        }
    }
    bytes
}

fn read_health(reader: &mut Reader<'_>, health: &mut Health) -> Result<(), Malformed> {
    while !reader.rest.is_empty() {
        let slice = reader.u32()?;
        let count = usize::from(reader.u8()?);
        if count > REPORTERS_MAX {
            return Err(Malformed::OutOfRange);
        }
        let reporters = health.slices.entry(slice).or_default();
        for _ in 0..count {
            let id = reader.u32()?;
            let mut seen = Seen {
                healthy: reader.u32()?,
                failing: reader.u32()?,
                slow: reader.u32()?,
                duration_ms: reader.u32()?,
                latency: [0; LATENCY_BUCKETS],
            };
            for bucket in &mut seen.latency {
                *bucket = reader.u16()?;
            }
            reporters.insert(id, seen);
        }
        if reporters.len() != count || health.slices.len() > SLICES_MAX {
            return Err(Malformed::OutOfRange);
        }
    }
    Ok(())
}

fn sketch_to_bytes(sketch: &Sketch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (epoch, ids) in &sketch.epochs {
        bytes.extend(epoch.to_le_bytes());
        bytes.push(u8::try_from(ids.len()).unwrap_or(u8::MAX));
        ids.iter().take(usize::from(u8::MAX)).for_each(|id| bytes.extend(id.to_le_bytes()));
    }
    bytes
}

fn read_sketch(reader: &mut Reader<'_>, sketch: &mut Sketch) -> Result<(), Malformed> {
    while !reader.rest.is_empty() {
        let epoch = reader.u32()?;
        let count = usize::from(reader.u8()?);
        let ids = sketch.epochs.entry(epoch).or_default();
        for _ in 0..count {
            ids.push(reader.u32()?);
        }
        if !ids.is_sorted_by(|left, right| left < right) || ids.len() > IDS_MAX || sketch.epochs.len() > EPOCHS_MAX {
            return Err(Malformed::OutOfRange);
        }
    }
    Ok(())
}

/// Six bytes reach the year 10,889; a later time saturates.
fn put_time(bytes: &mut Vec<u8>, at: Instant) {
    const TIME_MAX: u64 = (1 << 48) - 1;
    bytes.extend(&at.0.min(TIME_MAX).to_le_bytes()[..6]);
}

/// FNV-1a, 32 bits: tells damage, not forgery.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::OutOfRange)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::OutOfRange)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take().map(u32::from_le_bytes)
    }

    fn time(&mut self) -> Result<Instant, Malformed> {
        let [a, b, c, d, e, f] = self.take::<6>()?;
        Ok(Instant(u64::from_le_bytes([a, b, c, d, e, f, 0, 0])))
    }
}
