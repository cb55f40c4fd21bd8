//! What is told of single operations and events: trace context, log records, and their way to a collector.

pub mod trace_context;
