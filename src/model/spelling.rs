//! Names as people write them: the known one that was probably meant, and the article before one.

/// The known name that is nearest to the word, ignoring case, if any is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        // Of two names without a letter in common neither was meant.
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2).min(4) && *distance < known.len())
        .min()
        .map(|(_, known)| known)
        .filter(|known| *known != word)
}

/// The end of a sentence that refuses a word: `; did you mean …?`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// The name in backticks, after `a` or `an`.
#[must_use]
pub fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} `{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("shraed", ["system", "shared"]), Some("shared"));
        assert_eq!(nearest("enforce", ["Report", "Enforce"]), Some("Enforce"), "case alone is a mistake too");
        assert_eq!(nearest("kv", ["bus", "host"]), None);
        assert_eq!(nearest("a", ["b"]), None, "nothing in common");
        assert_eq!(nearest("shared", ["shared"]), None, "the word itself is no advice");
        assert_eq!(did_you_mean("mdoe", ["mode"]), "; did you mean `mode`?");
        assert_eq!(did_you_mean("anything", ["mode"]), "");
    }

    #[test]
    fn the_article_goes_with_the_first_letter() {
        assert_eq!(with_article("eventHubTrigger"), "an `eventHubTrigger`");
        assert_eq!(with_article("blob"), "a `blob`");
    }
}
