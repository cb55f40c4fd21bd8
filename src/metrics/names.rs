//! Which names are wanted: `?names=canonical,prisma`.

/// Which families of names are shown. All, unless somebody says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// Ours.
    pub canonical: bool,
    /// `db_connections_total` and so on.
    pub prisma: bool,
    /// `db_active_connections` and so on.
    pub platform: bool,
    /// `familyos_…`.
    pub familyos: bool,
}

impl Names {
    /// Every name.
    pub const ALL: Self = Self { canonical: true, prisma: true, platform: true, familyos: true };
    const NONE: Self = Self { canonical: false, prisma: false, platform: false, familyos: false };

    /// What may be asked for.
    pub const WORDS: [&'static str; 6] = ["canonical", "prisma", "platform", "familyos", "source", "all"];

    /// What a list of words asks for; `source` is the three older ones. An empty list asks for all.
    ///
    /// # Errors
    ///
    /// The words that may be used, if one is none of them.
    pub fn read(list: &str) -> Result<Self, String> {
        let mut names = Self::NONE;
        for word in list.split(',').filter(|word| !word.is_empty()) {
            match word {
                "canonical" => names.canonical = true,
                "prisma" => names.prisma = true,
                "platform" => names.platform = true,
                "familyos" => names.familyos = true,
                "source" => names = Self { canonical: names.canonical, ..Self::ALL },
                "all" => names = Self::ALL,
                _ => {
                    return Err(format!(
                        "names takes {}, or several with commas between them.",
                        Self::WORDS.join(", ")
                    ));
                }
            }
        }
        Ok(if names == Self::NONE { Self::ALL } else { names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_add_up_and_unknown_ones_are_told_what_there_is() {
        assert_eq!(Names::read(""), Ok(Names::ALL));
        assert_eq!(Names::read("all"), Ok(Names::ALL));
        assert_eq!(Names::read("prisma,familyos"), Ok(Names { prisma: true, familyos: true, ..Names::NONE }));
        assert_eq!(Names::read("canonical,source"), Ok(Names::ALL));
        assert_eq!(Names::read("source"), Ok(Names { canonical: false, ..Names::ALL }));
        let refused = Names::read("canonical,__proto__").err().unwrap_or_default();
        assert!(refused.contains("familyos") && !refused.contains("__proto__"), "{refused}");
    }
}
