//! What a law looks at while the fleet runs.

use seawall::clock::Instant;
use seawall::engine::Engine;
use seawall::engine::step::Step;
use seawall::outcome::Judgement;

use super::clock::Ms;

/// What an isolate just did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act<'a> {
    /// It began to live.
    Born,
    /// The engine answered a request, or one that waited.
    Stepped(Step),
    /// An attempt left for the database.
    Sent { is_dead: bool },
    /// An attempt ended, and the engine answered.
    Reported(Judgement, Step),
    /// A shared text came in; whether it was one.
    Imported(&'a str, bool),
    /// It asked the store to keep a text.
    Put(&'a str),
}

/// When and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment<'a> {
    pub(crate) at: Ms,
    /// The isolate's own clock.
    pub(crate) now: Instant,
    pub(crate) slot: u32,
    /// Which of the isolates that lived in this slot.
    pub(crate) life: u32,
    pub(crate) colo: u16,
    pub(crate) act: Act<'a>,
}

/// Looks on, changes nothing.
pub(crate) trait Watch {
    /// Sees what was done, and the engine after it.
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine);
}
