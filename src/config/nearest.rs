//! The nearest name to a typo: edit distance with transpositions, ignoring case.

/// The name of `names` with the fewest edits to `typo`, if it is near enough to be meant.
pub(super) fn nearest(typo: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let most = 2.max(typo.chars().count() / 4);
    let near = names.map(|name| (distance(typo, name), name)).min_by_key(|(edits, _)| *edits)?;
    (near.0 <= most).then_some(near.1)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, from) in a.to_lowercase().chars().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_b = None;
        for (column, &to) in b.iter().enumerate() {
            let at = |cells: &[usize], column: usize| cells.get(column).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, column) + usize::from(from != to);
            let edited = at(&last, column + 1).min(at(&current, column)) + 1;
            let swapped = match (previous_a, previous_b) {
                (Some(pa), Some(pb)) if pa == to && pb == from => at(&before_last, column - 1) + 1,
                _ => usize::MAX,
            };
            current.push(replaced.min(edited).min(swapped));
            previous_b = Some(to);
        }
        previous_a = Some(from);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (a, b, edits) in
            [("", "abc", 3), ("abc", "", 3), ("abc", "acb", 1), ("kitten", "sitting", 3), ("A", "a", 0)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn finds_the_key_that_was_meant() {
        let names = ["flushDiskType", "fileReservedTime", "deleteWhen"];
        assert_eq!(nearest("flushDisktyp", names.into_iter()), Some("flushDiskType"));
        assert_eq!(nearest("deletewhne", names.into_iter()), Some("deleteWhen"));
        assert_eq!(nearest("somethingElse", names.into_iter()), None);
    }
}
