//! What was decided, and why, in the words of OpenFeature.

use super::table::FlagIndex;

/// Why somebody gets what it gets, as OpenFeature has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is the same for everybody.
    Static,
    /// A rule matched.
    TargetingMatch,
    /// A hash decided.
    Split,
    /// No rule matched, or what the flag requires is not met.
    Default,
    /// It is off.
    Disabled,
    /// The definitions are older than they may be: [`Decision::underlying`] is why all the same.
    Stale,
    /// It was decided before, for the same context. Nothing here keeps decisions; hosts may.
    Cached,
    /// It could not be decided: [`Decision::error`].
    Error,
}

impl Reason {
    /// As OpenFeature writes it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Split => "SPLIT",
            Self::Default => "DEFAULT",
            Self::Disabled => "DISABLED",
            Self::Stale => "STALE",
            Self::Cached => "CACHED",
            Self::Error => "ERROR",
        }
    }
}

/// What went wrong, as OpenFeature has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// No definitions were ever loaded.
    ProviderNotReady,
    /// There is no such flag.
    FlagNotFound,
    /// Definitions were refused.
    ParseError,
    /// The variant is of another kind than was asked for.
    TypeMismatch,
    /// A strict flag needs an id, and there is none.
    TargetingKeyMissing,
    /// The context is not one, or is too large.
    InvalidContext,
    /// It will not get better by itself.
    ProviderFatal,
    /// Anything else.
    General,
}

impl ErrorCode {
    /// As OpenFeature writes it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ProviderNotReady => "PROVIDER_NOT_READY",
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::ParseError => "PARSE_ERROR",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::TargetingKeyMissing => "TARGETING_KEY_MISSING",
            Self::InvalidContext => "INVALID_CONTEXT",
            Self::ProviderFatal => "PROVIDER_FATAL",
            Self::General => "GENERAL",
        }
    }
}

/// Who said so, where that is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The list of kills, or a kill of everything.
    Kill,
    /// `enabled` of the flag.
    Flag,
    /// An environment variable.
    Env,
}

impl Source {
    /// As metadata have it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Flag => "flag",
            Self::Env => "env",
        }
    }
}

/// What somebody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The variant at that place.
    Variant(u16),
    /// What an environment variable says, at that place of `Overrides`.
    Forced(u16),
    /// `false`, of a flag that has no variant for it.
    False,
    /// What the caller's code says.
    Nothing,
}

/// What was decided, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What somebody gets.
    pub served: Served,
    /// Why.
    pub reason: Reason,
    /// Why, if the definitions were not stale; else the same as `reason`.
    pub underlying: Reason,
    /// What went wrong, for [`Reason::Error`].
    pub error: Option<ErrorCode>,
    /// Who turned it off or on, if that was no rule.
    pub by: Option<Source>,
    /// The place of the rule that matched.
    pub rule: Option<u16>,
    /// The bucket of a million that decided whether somebody is in, if one did.
    pub bucket: Option<u32>,
    /// The flag that is required and is not as it must be.
    pub prerequisite: Option<FlagIndex>,
}

impl Decision {
    /// No definitions were ever loaded.
    pub const NOT_READY: Self = Self::error(ErrorCode::ProviderNotReady);
    /// There is no such flag.
    pub const NOT_FOUND: Self = Self::error(ErrorCode::FlagNotFound);

    pub(super) const fn new(served: Served, reason: Reason) -> Self {
        let (error, by, rule, bucket, prerequisite) = (None, None, None, None, None);
        Self { served, reason, underlying: reason, error, by, rule, bucket, prerequisite }
    }

    pub(super) const fn of(served: Served, reason: Reason, by: Option<Source>) -> Self {
        Self { by, ..Self::new(served, reason) }
    }

    /// What went wrong: the caller's code says what somebody gets.
    #[must_use]
    pub const fn error(code: ErrorCode) -> Self {
        Self { error: Some(code), ..Self::new(Served::Nothing, Reason::Error) }
    }

    /// Whether a rule or a variable said so, and not the default: whether the flag is "enabled" to those who ask only that.
    #[must_use]
    pub const fn is_matched(&self) -> bool {
        self.rule.is_some() || matches!((self.by, self.underlying), (Some(Source::Env), Reason::Static))
    }
}
