//! Laws of flags: who is in stays in, off beats on, and no document, context or snapshot makes the engine fail.

mod documents;
mod evaluation;
mod order;
mod snapshots;
