//! Sections of an answer as text: aligned columns, tab-separated values, or bare names.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::shown;

/// Rows under a heading.
#[derive(Debug, Default)]
pub(in super::super) struct Table {
    columns: Vec<(&'static str, CellAlignment)>,
    rows: Vec<Vec<String>>,
}

/// A part of an answer.
#[derive(Debug)]
pub(in super::super) enum Section {
    /// Names and values under each other.
    Facts(Vec<(&'static str, String)>),
    /// Rows with a heading.
    Table(Table),
}

impl Table {
    /// Columns by name; a name that begins with `#` is a number and stands to the right.
    pub(in super::super) fn new(columns: &[&'static str]) -> Table {
        let column = |name: &&'static str| match name.strip_prefix('#') {
            Some(name) => (name, CellAlignment::Right),
            None => (*name, CellAlignment::Left),
        };
        Table { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// A row; each cell is what its column is about.
    pub(in super::super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }

    fn text(&self, width: Option<u16>, colour: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(self.names().map(str::to_uppercase));
        table.set_content_arrangement(ContentArrangement::Disabled);
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| cell_text(cell)));
        }
        for (at, (_, alignment)) in self.columns.iter().enumerate() {
            if let Some(column) = table.column_mut(at) {
                column.set_padding((0, 2)).set_cell_alignment(*alignment);
            }
        }
        let bold = |at: usize, line: &str| match (at, colour) {
            (0, true) => format!("\u{1b}[1m{line}\u{1b}[0m\n"),
            _ => format!("{line}\n"),
        };
        table.lines().enumerate().map(|(at, line)| bold(at, line.trim_end())).collect()
    }

    fn tsv(&self) -> String {
        let heading: Vec<&str> = self.names().collect();
        let line = |cells: &[String]| cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join("\t");
        let rows = self.rows.iter().map(|row| format!("{}\n", line(row)));
        std::iter::once(format!("{}\n", heading.join("\t"))).chain(rows).collect()
    }
}

/// An empty cell would be taken for a column that is not there.
fn cell_text(cell: &str) -> String {
    if cell.is_empty() { "-".to_owned() } else { shown(cell) }
}

/// A cell of tab-separated values: what separates is escaped as `\t`, `\n`, `\\`.
pub(super) fn escaped(cell: &str) -> String {
    let escape = |c: char| match c {
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    cell.chars().map(escape).collect()
}

fn facts(rows: &[(&'static str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 1;
    rows.iter().map(|(name, value)| format!("{:width$} {}\n", format!("{name}:"), cell_text(value))).collect()
}

/// For people; `width` is the terminal's.
pub(super) fn text(sections: &[Section], width: Option<u16>, colour: bool) -> String {
    let one = |section: &Section| match section {
        Section::Facts(rows) => facts(rows),
        Section::Table(table) => table.text(width, colour),
    };
    sections.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// For programs: sections are separated by an empty line, facts are two columns.
pub(super) fn tsv(sections: &[Section]) -> String {
    let one = |section: &Section| match section {
        Section::Facts(rows) => {
            rows.iter().map(|(name, value)| format!("{name}\t{}\n", escaped(value))).collect()
        }
        Section::Table(table) => table.tsv(),
    };
    sections.iter().map(one).collect::<Vec<String>>().join("\n")
}

/// The first column of the last table, without its heading.
pub(super) fn names(sections: &[Section]) -> String {
    let Some(Section::Table(table)) = sections.last() else { return String::new() };
    let first = table.rows.iter().filter_map(|row| row.first());
    first.map(|name| format!("{}\n", shown(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Section> {
        let mut table = Table::new(&["topic", "#queues"]);
        table.row(["a".to_owned(), "8".to_owned()]);
        table.row(["long\tname\u{1b}[31m".to_owned(), String::new()]);
        vec![Section::Facts(vec![("broker", "b".to_owned())]), Section::Table(table)]
    }

    #[test]
    fn columns_are_aligned_and_control_characters_are_shown() {
        let expected = [
            "broker: b",
            "",
            "TOPIC                    QUEUES",
            "a                             8",
            "long\\u{9}name\\u{1b}[31m       -",
            "",
        ];
        let expected = expected.join("\n");
        assert_eq!(text(&sample(), None, false), expected);
    }

    #[test]
    fn only_the_heading_is_coloured() {
        let text = text(&sample(), None, true);
        assert_eq!(text.matches('\u{1b}').count(), 2, "{text}");
    }

    #[test]
    fn tabs_separate_and_nothing_else_does() {
        assert_eq!(tsv(&sample()), "broker\tb\n\ntopic\tqueues\na\t8\nlong\\tname\\u{1b}[31m\t\n");
    }

    #[test]
    fn names_stand_alone() {
        assert_eq!(names(&sample()), "a\nlong\\u{9}name\\u{1b}[31m\n");
    }
}
