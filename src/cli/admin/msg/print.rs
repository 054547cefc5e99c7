//! Messages one after the other on standard output, in the form that was asked for.

use std::io::{self, Write};

use super::format::Template;
use super::message::Message;
use crate::cli::output::{Format, Screen, shown, tsv_cell, yaml};
use crate::cli::time;

const COLUMNS: [&str; 8] = ["topic", "queue", "offset", "timestamp", "id", "tag", "key", "value"];

/// Prints one message after the other.
pub(super) struct Printer {
    template: Option<Template>,
    form: Format,
    is_first: bool,
}

impl Printer {
    /// A format string goes before the form that the screen has.
    pub(super) fn new(format: Option<Template>, screen: &Screen) -> Printer {
        let for_people = matches!(screen.format, Format::Table | Format::Wide);
        let values = || Template::parse("%v\\n").ok().filter(|_| screen.is_quiet() && for_people);
        Printer { template: format.or_else(values), form: screen.format, is_first: true }
    }

    /// Flushes after each message: somebody waits for it. An error: nobody reads any more.
    pub(super) fn print(&mut self, message: &Message) -> io::Result<()> {
        let mut out = Vec::new();
        match (&self.template, self.form) {
            (Some(template), _) => template.write(message, &mut out),
            (None, Format::Json) => out.extend_from_slice(format!("{}\n", message.to_json()).as_bytes()),
            (None, Format::Yaml) => {
                out.extend_from_slice(format!("---\n{}", yaml(&message.to_json())).as_bytes());
            }
            (None, Format::Tsv) => out.extend_from_slice(self.tsv(message).as_bytes()),
            (None, Format::Table | Format::Wide) => out.extend_from_slice(line(message).as_bytes()),
        }
        self.is_first = false;
        let mut stdout = io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()
    }

    fn tsv(&self, message: &Message) -> String {
        let heading = if self.is_first { format!("{}\n", COLUMNS.join("\t")) } else { String::new() };
        let cells = [
            message.topic.clone(),
            message.queue.to_string(),
            message.offset.to_string(),
            message.timestamp().to_string(),
            message.id().unwrap_or_default().to_owned(),
            message.tag().unwrap_or_default(),
            text(message.key().as_deref()),
            text(message.body.as_deref()),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| tsv_cell(cell)).collect();
        format!("{heading}{}\n", cells.join("\t"))
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Place, time, tag and key where there are any, value.
fn line(message: &Message) -> String {
    let place = format!("{}/{}@{}", message.topic, message.queue, message.offset);
    let tag = message.tag().map(|tag| format!("[{tag}]"));
    let key = message.key().map(|key| format!("({})", text(Some(&key))));
    let value = message.body.as_deref().map_or_else(|| "null".to_owned(), |body| text(Some(body)));
    let parts = [Some(place), Some(time::shown(message.timestamp())), tag, key, Some(value)];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| shown(&part)).collect();
    format!("{}\n", parts.join("  "))
}
