//! Tells what happens, as it happens.

use super::cast::Cast;
use std::io::{IsTerminal, Write};
use wire::view::{TimelineEntry, TimelineKind};

/// Writes lines for people: to stdout, or to stderr when stdout is for a document.
#[derive(Debug, Clone)]
pub struct Narrator {
    to_stderr: bool,
    colours: bool,
}

impl Narrator {
    /// A narrator that leaves stdout alone if asked.
    pub fn new(to_stderr: bool) -> Narrator {
        let terminal =
            if to_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        Narrator { to_stderr, colours: terminal && std::env::var_os("NO_COLOR").is_none() }
    }

    /// Says a line.
    pub fn say(&self, line: &str) {
        // A closed pipe must not end the demo.
        let _ = if self.to_stderr {
            writeln!(std::io::stderr(), "{line}")
        } else {
            writeln!(std::io::stdout(), "{line}")
        };
    }

    /// Says where everything is and what to try.
    pub fn welcome(&mut self, cast: &Cast) {
        let program = std::env::args().next().unwrap_or_else(|| "sextant".into());
        let dir = cast.folder.path.display();
        self.say(&format!("\n  Sextant's dashboard   http://{}/", cast.dashboard));
        self.say(&format!("  Configuration         {}", cast.folder.config().display()));
        self.say(&format!("  Users' entrance       http://{}/products", cast.world.entrance().addr()));
        self.say("\n  Five regions, a probe in each; a shop in us-east-1, eu-west-1 and ap-northeast-1.");
        self.say("  Break one on the dashboard, or from another terminal:");
        self.say(&format!("    {program} demo break eu-west-1 --how blackhole --dir {dir}"));
        self.say(&format!("    {program} demo heal --dir {dir}"));
        self.say("  Ways: refuse, blackhole, errors, slow, partition, lag. Ctrl-C ends the demo.\n");
    }

    /// Tells one timeline entry.
    pub fn tell(&self, entry: &TimelineEntry) {
        let time = entry.at.to_string();
        let time = time.get(11..23).unwrap_or(&time);
        let (colour, plain) = match entry.kind {
            TimelineKind::Verdict => ("\x1b[1;31m", "\x1b[0m"),
            TimelineKind::Plan => ("\x1b[1;35m", "\x1b[0m"),
            TimelineKind::Proof => ("\x1b[1;32m", "\x1b[0m"),
            _ => ("\x1b[1m", "\x1b[0m"),
        };
        let (colour, plain) = if self.colours { (colour, plain) } else { ("", "") };
        self.say(&format!("{time}  {:<13} {colour}{}{plain}", entry.kind.to_string(), entry.title));
        if !entry.detail.is_empty() {
            self.say(&format!("{:27} {}", "", entry.detail));
        }
    }
}

/// Tells every new timeline entry, for ever.
pub async fn timeline(cast: &Cast, out: &Narrator) {
    let mut changes = web::Board::changes(&cast.board);
    let mut told = cast.told();
    loop {
        if let Ok(overview) = cast.board.read().await {
            for entry in overview.timeline.iter().rev().filter(|entry| entry.id > told) {
                out.tell(entry);
            }
            told = overview.timeline.first().map_or(told, |entry| entry.id.max(told));
            cast.set_told(told);
        }
        if changes.changed().await.is_err() {
            // The collector is gone; whoever watches the cast says so.
            std::future::pending::<()>().await;
        }
    }
}
