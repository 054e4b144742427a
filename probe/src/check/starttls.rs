//! Asking a server to turn to TLS, in the way of its protocol: phases `send` and `wait`.
//!
//! Nothing that arrives in clear after the server agreed is let through, because somebody on the way could have put it
//! there.

use super::{
    fault::Fault,
    record::{Phase, Recorder},
    words,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wire::{assignment::StartTls, sample::FailClass};

/// The longest line that is read, bytes: RFC 5321 (4.5.3.1.5) allows 512, others more.
const LINE_MOST: usize = 2048;
/// How many lines one answer may have.
const LINES_MOST: usize = 100;

/// The object identifier of the operation (RFC 4511, 4.14).
const LDAP_STARTTLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Has the conversation up to the point where TLS begins.
///
/// # Errors
/// [`FailClass::Protocol`] when the server says something else, or refuses.
pub(super) async fn ask(
    protocol: StartTls,
    socket: &mut TcpStream,
    recorder: &Recorder,
) -> Result<(), Fault> {
    let mut talk = Talk { socket, recorder, heard: Vec::new(), name: name(protocol) };
    match protocol {
        StartTls::Smtp => {
            talk.reply("220").await?;
            talk.say("EHLO sextant.invalid\r\n").await?;
            talk.reply("250").await?;
            talk.say("STARTTLS\r\n").await?;
            talk.reply("220").await?;
        }
        StartTls::Ftp => {
            talk.reply("220").await?;
            talk.say("AUTH TLS\r\n").await?;
            talk.reply("234").await?;
        }
        StartTls::Imap => {
            talk.line_with("* OK").await?;
            talk.say("a STARTTLS\r\n").await?;
            talk.tagged("a ").await?;
        }
        StartTls::Pop3 => {
            talk.line_with("+OK").await?;
            talk.say("STLS\r\n").await?;
            talk.line_with("+OK").await?;
        }
        StartTls::Ldap => talk.ldap().await?,
        StartTls::Postgres => talk.postgres().await?,
    }
    match talk.heard.is_empty() {
        true => Ok(()),
        false => Err(talk.wrong("it went on in clear after it agreed to TLS")),
    }
}

fn name(protocol: StartTls) -> &'static str {
    match protocol {
        StartTls::Smtp => "SMTP",
        StartTls::Imap => "IMAP",
        StartTls::Pop3 => "POP3",
        StartTls::Ftp => "FTP",
        StartTls::Ldap => "LDAP",
        StartTls::Postgres => "PostgreSQL",
    }
}

struct Talk<'t> {
    socket: &'t mut TcpStream,
    recorder: &'t Recorder,
    /// What arrived and was not used yet.
    heard: Vec<u8>,
    name: &'static str,
}

impl Talk<'_> {
    async fn say(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Fault> {
        self.recorder.enter(Phase::Send);
        let sent = self.socket.write_all(bytes.as_ref()).await;
        sent.map_err(|error| Fault::lost(" while asking for TLS", &error))
    }

    /// Waits for more.
    async fn more(&mut self) -> Result<(), Fault> {
        let mut part = [0; 512];
        let read = self.socket.read(&mut part).await;
        match read.map_err(|error| Fault::lost(" while asking for TLS", &error))? {
            0 => Err(self.wrong("it closed the connection")),
            length => {
                self.heard.extend_from_slice(&part[..length]);
                Ok(())
            }
        }
    }

    /// One line without its end.
    async fn line(&mut self) -> Result<String, Fault> {
        self.recorder.enter(Phase::Wait);
        self.recorder.note(|record| record.awaited = Some("answer to the request for TLS".to_owned()));
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.heard.len() > LINE_MOST {
                return Err(self.wrong("its line is longer than 2048 bytes"));
            }
            self.more().await?;
        }
    }

    /// A reply of one or more lines with this code (RFC 5321, 4.2.1).
    async fn reply(&mut self, code: &str) -> Result<(), Fault> {
        for _ in 0..LINES_MOST {
            let line = self.line().await?;
            let rest = line.strip_prefix(code).filter(|rest| rest.is_empty() || rest.starts_with([' ', '-']));
            match rest {
                Some(rest) if rest.starts_with('-') => {}
                Some(_) => return Ok(()),
                None => return Err(self.refused(code, &line)),
            }
        }
        Err(self.wrong("its answer has more than 100 lines"))
    }

    async fn line_with(&mut self, beginning: &str) -> Result<(), Fault> {
        let line = self.line().await?;
        let head = line.get(..beginning.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(beginning) { Ok(()) } else { Err(self.refused(beginning, &line)) }
    }

    /// The answer to a command with this tag; others before it are let pass (RFC 9051, 7).
    async fn tagged(&mut self, tag: &str) -> Result<(), Fault> {
        for _ in 0..LINES_MOST {
            let line = self.line().await?;
            if let Some(answer) = line.strip_prefix(tag) {
                let good = answer.get(..2).is_some_and(|word| word.eq_ignore_ascii_case("OK"));
                return if good { Ok(()) } else { Err(self.refused("OK", &line)) };
            }
        }
        Err(self.wrong("its answer has more than 100 lines"))
    }

    /// An extended request, and its response in the subset of BER that LDAP uses (RFC 4511, 5.1).
    async fn ldap(&mut self) -> Result<(), Fault> {
        let length = LDAP_STARTTLS.len() as u8;
        let mut request = vec![0x30, length + 7, 0x02, 0x01, 0x01, 0x77, length + 2, 0x80, length];
        request.extend_from_slice(LDAP_STARTTLS);
        self.say(request).await?;
        self.recorder.enter(Phase::Wait);
        self.recorder.note(|record| record.awaited = Some("answer to the request for TLS".to_owned()));
        let (tag, body) = loop {
            if let Some((tag, body, used)) = element(&self.heard) {
                let (tag, body) = (tag, body.to_vec());
                self.heard.drain(..used);
                break (tag, body);
            }
            if self.heard.len() > LINE_MOST {
                return Err(self.wrong("its answer is longer than 2048 bytes"));
            }
            self.more().await?;
        };
        // LDAPMessage ::= SEQUENCE { messageID, [APPLICATION 24] { resultCode ENUMERATED, ... } }
        let code = (tag == 0x30)
            .then(|| {
                let (_, _, id) = element(&body)?;
                let (operation, response, _) = element(&body[id..])?;
                let (kind, code, _) = element(response)?;
                (operation == 0x78 && kind == 0x0a && code.len() == 1).then(|| code[0])
            })
            .flatten();
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(self.wrong(&format!("it refused TLS with the result code {code}"))),
            None => Err(self.wrong("its answer is not that of LDAP to an extended request")),
        }
    }

    /// `SSLRequest`, answered by one byte.
    async fn postgres(&mut self) -> Result<(), Fault> {
        self.say([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        self.recorder.enter(Phase::Wait);
        self.recorder.note(|record| record.awaited = Some("answer to the request for TLS".to_owned()));
        while self.heard.is_empty() {
            self.more().await?;
        }
        match self.heard.remove(0) {
            b'S' => Ok(()),
            b'N' => Err(self.wrong("it does not offer TLS")),
            _ => Err(self.wrong("its answer is not that of PostgreSQL to a request for TLS")),
        }
    }

    fn refused(&self, wanted: &str, line: &str) -> Fault {
        self.wrong(&format!("expected {}, it said {}", words::quote(wanted), words::quote(line)))
    }

    fn wrong(&self, why: &str) -> Fault {
        Fault::new(FailClass::Protocol, format!("the {} server did not turn to TLS: {why}", self.name))
    }
}

/// The first element of BER: its tag, its content, and how many bytes it takes; nothing while it is incomplete.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, header) = match *first {
        short @ 0..0x80 => (usize::from(short), 2),
        long => {
            let digits = usize::from(long & 0x7f);
            // Nothing that is longer than 64 KiB is read.
            let digits = rest.get(..digits).filter(|digits| (1..=4).contains(&digits.len()))?;
            let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
            (length, 2 + digits.len())
        }
    };
    let end = header.checked_add(length)?;
    Some((*tag, bytes.get(header..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_whole_or_not_at_all() {
        let whole = [0x30, 0x84, 0, 0, 0, 3, 0x02, 0x01, 0x01];
        assert_eq!(element(&whole), Some((0x30, &[2, 1, 1][..], 9)));
        for length in 0..whole.len() {
            assert_eq!(element(&whole[..length]), None, "{length}");
        }
        assert_eq!(element(&[0x02, 0x01, 5, 9]), Some((2, &[5][..], 3)));
        assert_eq!(element(&[0x30, 0x85, 1, 1, 1, 1, 1]), None);
    }
}
