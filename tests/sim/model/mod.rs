//! What should happen, said without the engine: worlds to run, and the bounds that hold in them.

pub(crate) mod bounds;
pub(crate) mod worlds;
