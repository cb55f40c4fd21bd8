//! Regular expressions in linear time, by `regex-lite`; without the Cargo feature `flags-regex` there are none.

/// Most bytes that a compiled expression takes: what `a{1000}{1000}` would exceed.
#[cfg(feature = "flags-regex")]
const SIZE_MAX: usize = 64 << 10;
/// Groups within each other, at most.
#[cfg(feature = "flags-regex")]
const NESTING_MAX: u32 = 20;

/// A regular expression that can be asked.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    #[cfg(feature = "flags-regex")]
    compiled: regex_lite::Regex,
    #[cfg(not(feature = "flags-regex"))]
    never: core::convert::Infallible,
}

impl Pattern {
    /// Compiles `text`. Look-around and back-references are not known, as in RE2: they have no linear time.
    #[cfg(feature = "flags-regex")]
    pub(super) fn new(text: &str, ci: bool) -> Result<Self, String> {
        let mut builder = regex_lite::RegexBuilder::new(text);
        let compiled = builder.case_insensitive(ci).size_limit(SIZE_MAX).nest_limit(NESTING_MAX).build();
        compiled.map(|compiled| Self { compiled }).map_err(|error| format!("this is no regular expression: {error}"))
    }

    /// Says that there are none.
    #[cfg(not(feature = "flags-regex"))]
    pub(super) fn new(_: &str, _: bool) -> Result<Self, String> {
        Err("this build knows no regular expressions: it lacks the Cargo feature flags-regex".to_owned())
    }

    /// Whether it is found somewhere in `text`.
    #[cfg(feature = "flags-regex")]
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// There is nothing to ask.
    #[cfg(not(feature = "flags-regex"))]
    pub(super) fn is_in(&self, _: &str) -> bool {
        match self.never {}
    }
}
