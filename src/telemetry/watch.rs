//! Watches one operation from outside of the policies: what it waited for, its attempts, its end. Twin of the `Watch` of
//! `js/src/telemetry/observer.ts`.
//!
//! One span for the operation, with parts `acquire` (until the first attempt begins, or nothing is to be had) and
//! `attempt`, one for each request.

use super::span::{Attributes, Cause, Codes, Kind, Span};
use super::trace_context::TraceContext;
use crate::clock::Instant;
use crate::rng::{Rng, SplitMix};

/// Spans of one operation; the attempts beyond are not told.
const SPANS_MAX: usize = 64;

/// How what one event does is traced.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// Who asked for it; `None` begins a trace.
    pub parent: Option<TraceContext>,
    /// Share of the traces that are recorded, 0 to 1, of those that begin here.
    pub sample_ratio: f64,
    /// Whether requests to the database say which span they are a part of.
    pub propagates: bool,
}

/// One operation on its way.
#[derive(Debug)]
pub struct Watch {
    name: &'static str,
    attributes: Attributes,
    context: TraceContext,
    parent: Option<u64>,
    propagates: bool,
    began: Instant,
    /// The span of the wait for a lease, until there is one.
    acquire: Option<u64>,
    attempts: u32,
    rng: SplitMix,
    ended: Vec<Span>,
}

/// One attempt on its way.
#[derive(Debug)]
pub struct Leg {
    context: TraceContext,
    number: u32,
    began: Instant,
    propagates: bool,
}

impl Leg {
    /// Headers that tell a server which span its request is a part of; none where it is not to know.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if self.propagates {
            headers.push(("traceparent", self.context.traceparent()));
            if !self.context.state.is_empty() {
                headers.push(("tracestate", self.context.state.clone()));
            }
        }
        headers
    }

    /// When it began.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }
}

impl Watch {
    /// Begins to watch the operation of this name in the database of `place`, at `now`. `seed` is for ids.
    #[must_use]
    pub fn begin(name: &'static str, place: &Attributes, tracing: Tracing, seed: u64, now: Instant) -> Self {
        let mut rng = SplitMix::new(seed);
        let Tracing { parent, sample_ratio, propagates } = tracing;
        let mut attributes = place.clone();
        attributes.insert("db.operation.name".to_owned(), name.into());
        let above = parent.as_ref().map(|parent| parent.span_id);
        let context = match parent {
            Some(parent) => TraceContext { span_id: span_id(&mut rng), ..parent },
            None => begun(sample_ratio, &mut rng),
        };
        let acquire = Some(span_id(&mut rng));
        let ended = Vec::new();
        Self { name, attributes, context, parent: above, propagates, began: now, acquire, attempts: 0, rng, ended }
    }

    /// An attempt begins at `now`: there is a lease, if one was wanted.
    pub fn attempt(&mut self, now: Instant) -> Leg {
        self.acquired(None, now);
        self.attempts += 1;
        let context = TraceContext { span_id: span_id(&mut self.rng), ..self.context.clone() };
        Leg { context, number: self.attempts, began: now, propagates: self.propagates }
    }

    /// An attempt has ended.
    pub fn attempt_ended(&mut self, leg: Leg, cause: Option<Cause<'_>>, codes: &mut Codes, now: Instant) {
        let mut attributes = cause.map(|cause| codes.attributes(cause)).unwrap_or_default();
        attributes.insert("seawall.attempt".to_owned(), leg.number.into());
        self.part("attempt", leg.context.span_id, leg.began, attributes, cause.is_some(), now);
    }

    /// The operation has ended; its spans, if they are recorded.
    #[must_use]
    pub fn ended(mut self, cause: Option<Cause<'_>>, codes: &mut Codes, now: Instant) -> Vec<Span> {
        let more = cause.map(|cause| codes.attributes(cause));
        // A refusal ended the wait.
        self.acquired(cause.map(|cause| codes.attributes(Cause::policy(cause.code))), now);
        if self.context.is_sampled {
            let mut attributes = self.attributes;
            attributes.extend(more.unwrap_or_default());
            if self.attempts > 1 {
                attributes.insert("seawall.attempts".to_owned(), self.attempts.into());
            }
            self.ended.push(Span {
                context: self.context,
                parent: self.parent,
                name: self.name,
                kind: Kind::Client,
                began: self.began,
                ended: now,
                attributes,
                has_failed: cause.is_some(),
            });
        }
        self.ended
    }

    /// There is a lease, or with a refusal none.
    fn acquired(&mut self, refusal: Option<Attributes>, now: Instant) {
        let Some(id) = self.acquire.take() else { return };
        let has_failed = refusal.is_some();
        self.part("acquire", id, self.began, refusal.unwrap_or_default(), has_failed, now);
    }

    fn part(
        &mut self,
        name: &'static str,
        span_id: u64,
        began: Instant,
        attributes: Attributes,
        has_failed: bool,
        now: Instant,
    ) {
        // The operation's own span has room left.
        if !self.context.is_sampled || self.ended.len() + 1 >= SPANS_MAX {
            return;
        }
        let context = TraceContext { span_id, ..self.context.clone() };
        let parent = Some(self.context.span_id);
        self.ended.push(Span {
            context,
            parent,
            name,
            kind: Kind::Internal,
            began,
            ended: now,
            attributes,
            has_failed,
        });
    }
}

/// The beginning of a trace.
fn begun(sample_ratio: f64, rng: &mut impl Rng) -> TraceContext {
    const CHOICES: u64 = 1 << 48;
    let trace_id = u128::from(span_id(rng)) << 64 | u128::from(rng.bits());
    // Its last 56 bits are random, as the second level of Trace Context wants them.
    let is_sampled = ((trace_id as u64 % CHOICES) as f64) < sample_ratio * CHOICES as f64;
    TraceContext { trace_id, span_id: span_id(rng), is_sampled, state: String::new() }
}

/// Chance that is not 0.
fn span_id(rng: &mut impl Rng) -> u64 {
    rng.bits().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracing(parent: &str, propagates: bool) -> Tracing {
        Tracing { parent: TraceContext::parse(parent, "a=1"), sample_ratio: 1.0, propagates }
    }

    /// Spans of an operation with one attempt, and the headers of that.
    fn told(tracing: Tracing, seed: u64) -> (Vec<Span>, Vec<(&'static str, String)>) {
        let mut codes = Codes::default();
        let mut watch = Watch::begin("healthCheck", &Attributes::new(), tracing, seed, Instant(1));
        let leg = watch.attempt(Instant(2));
        let headers = leg.headers();
        watch.attempt_ended(leg, None, &mut codes, Instant(3));
        (watch.ended(None, &mut codes, Instant(4)), headers)
    }

    /// TRC-01 and H140: what the caller of the Worker began goes on, also its decision not to record
    #[test]
    fn a_trace_that_came_in_goes_on_as_whoever_began_it_decided() {
        let (spans, headers) = told(tracing("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true), 1);
        assert_eq!(spans.iter().map(|span| span.name).collect::<Vec<_>>(), ["acquire", "attempt", "healthCheck"]);
        let [acquire, attempt, operation] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(operation.parent, Some(0xb7ad_6b71_6920_3331));
        for part in [acquire, attempt] {
            assert_eq!(part.parent, Some(operation.context.span_id));
            assert_eq!((part.context.trace_id, part.kind), (operation.context.trace_id, Kind::Internal));
        }
        assert_eq!(headers, [("traceparent", attempt.context.traceparent()), ("tracestate", "a=1".to_owned())]);

        let (spans, headers) = told(tracing("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true), 1);
        assert_eq!(spans, []);
        assert!(headers[0].1.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && headers[0].1.ends_with("-00"));
        let (_, headers) = told(tracing("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false), 1);
        assert_eq!(headers, []);
    }

    #[test]
    fn the_share_of_traces_that_begin_here_is_recorded() {
        let recorded = |sample_ratio| {
            let of = |seed| told(Tracing { parent: None, sample_ratio, propagates: false }, seed).0.len();
            (0..1_000).filter(|seed| of(*seed) == 3).count()
        };
        assert_eq!((recorded(0.0), recorded(1.0)), (0, 1_000));
        assert!((200..300).contains(&recorded(0.25)), "{}", recorded(0.25));
        let (spans, _) = told(Tracing { parent: None, sample_ratio: 1.0, propagates: false }, 7);
        assert_eq!(spans[2].parent, None);
        assert!(spans.iter().all(|span| span.context.trace_id == spans[0].context.trace_id));
    }

    #[test]
    fn an_operation_has_so_many_spans_at_most() {
        let mut codes = Codes::default();
        let tracing = Tracing { parent: None, sample_ratio: 1.0, propagates: false };
        let mut watch = Watch::begin("healthCheck", &Attributes::new(), tracing, 1, Instant(1));
        for _ in 0..2 * SPANS_MAX {
            let leg = watch.attempt(Instant(2));
            watch.attempt_ended(leg, None, &mut codes, Instant(3));
        }
        let spans = watch.ended(None, &mut codes, Instant(4));
        assert_eq!(spans.len(), SPANS_MAX);
        assert_eq!(spans.last().map(|span| span.name), Some("healthCheck"));
    }
}
