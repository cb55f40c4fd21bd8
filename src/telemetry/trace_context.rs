//! Who caused an operation, as W3C Trace Context has it: `traceparent` and `tracestate`, read strictly and written anew.
//!
//! Twin of `js/src/telemetry/trace-context.ts`; `tests/conformance/trace-context.json` holds both to the same answers.
//! What is not valid is not repeated: without a valid `traceparent` a new trace begins, and its `tracestate` is dropped
//! with it.

/// `00-<trace>-<span>-<flags>`.
const LENGTH: usize = 55;
const MEMBERS_MAX: usize = 32;
/// What everybody must hand on, in bytes.
const STATE_MAX: usize = 512;
/// Members that are longer are the first to go.
const MEMBER_MAX: usize = 128;

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Of the trace; never 0.
    pub trace_id: u128,
    /// Of the span; never 0.
    pub span_id: u64,
    /// Whether whoever began the trace records it.
    pub is_sampled: bool,
    /// What other systems have to say of it; empty for nothing. At most 512 bytes.
    pub state: String,
}

impl TraceContext {
    /// Reads both headers; `None` when `traceparent` is missing or not valid.
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: &str) -> Option<Self> {
        let text = traceparent.trim_matches([' ', '\t']);
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = hex(parts.next()?, 16)?;
        let flags = hex(parts.next()?, 2)?;
        // Later versions may add to the end; of this one there is nothing to add.
        let is_whole = rest.is_empty() || (version > 0 && rest.starts_with('-'));
        if parts.next().is_some() || !is_whole || version == 0xff || trace_id == 0 || span_id == 0 {
            return None;
        }
        let span_id = u64::try_from(span_id).ok()?;
        Some(Self { trace_id, span_id, is_sampled: flags & 1 == 1, state: state_of(tracestate) })
    }

    /// The place that a request's headers tell, if they tell one. `header` finds the value of a header by its name.
    #[must_use]
    pub fn of<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Self::parse(header("traceparent")?, header("tracestate").unwrap_or_default())
    }

    /// `traceparent` of this place.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

/// The number that `digits` small hexadecimal digits stand for.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| u128::from_str_radix(text, 16).ok())?
}

/// The members that may be handed on; empty when one of them is not valid.
fn state_of(text: &str) -> String {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for given in text.split(',').take(MEMBERS_MAX * 2) {
        let member = given.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        if members.len() == MEMBERS_MAX {
            break;
        }
        let Some((key, value)) = member.split_once('=') else { return String::new() };
        if !is_key(key) || !is_value(value) || members.iter().any(|(known, _)| *known == key) {
            return String::new();
        }
        members.push((key, member));
    }
    let mut length = members.iter().map(|(_, member)| member.len() + 1).sum::<usize>();
    for at in (0..members.len()).rev() {
        let member_length = members.get(at).map_or(0, |(_, member)| member.len());
        if length > STATE_MAX + 1 && member_length > MEMBER_MAX {
            length -= member_length + 1;
            members.remove(at);
        }
    }
    while length > STATE_MAX + 1 {
        let Some((_, member)) = members.pop() else { break };
        length -= member.len() + 1;
    }
    members.iter().map(|(_, member)| *member).collect::<Vec<_>>().join(",")
}

fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_name(key, 256, false),
        Some((tenant, system)) => is_name(tenant, 241, true) && is_name(system, 14, false),
    }
}

fn is_name(name: &str, length_max: usize, may_begin_with_digit: bool) -> bool {
    let begins = name
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || (may_begin_with_digit && first.is_ascii_digit()));
    let is_of_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    begins && name.len() <= length_max && name.bytes().all(is_of_name)
}

/// Printable characters but comma and equals sign, and no space at the end.
fn is_value(value: &str) -> bool {
    let is_of_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    !value.is_empty() && value.len() <= 256 && !value.ends_with(' ') && value.bytes().all(is_of_value)
}
