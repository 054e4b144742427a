//! Splits a text into commands and words as a POSIX shell does, with bash's `$'…'`, which browsers write.
//!
//! Expansions are refused rather than guessed: a variable has no value here.

/// Splits a text into commands, each a list of words. Pipes and redirections end up in `notes`.
///
/// # Errors
/// A sentence with the line: quotes that are not closed, variables, and the form for the Windows command line.
pub(crate) fn commands(text: &str, notes: &mut Vec<String>) -> Result<Vec<Vec<String>>, String> {
    let mut splitter = Splitter { chars: text.chars().collect(), at: 0, ..Splitter::default() };
    splitter.split().map_err(|problem| {
        let line = splitter.chars.iter().take(splitter.at).filter(|c| **c == '\n').count() + 1;
        format!("line {line}: {problem}")
    })?;
    splitter.end_command();
    if splitter.piped {
        notes.push("left out what the output is piped or redirected to".to_owned());
    }
    Ok(splitter.commands)
}

const WINDOWS: &str =
    "this is the form for the Windows command line; in the browser, choose \"Copy as cURL (bash)\"";

#[derive(Default)]
struct Splitter {
    chars: Vec<char>,
    at: usize,
    /// The word in progress; an empty one after empty quotes.
    word: Option<String>,
    words: Vec<String>,
    commands: Vec<Vec<String>>,
    /// What follows a pipe is another program's.
    skipping: bool,
    /// The next word is a file to write to.
    file: bool,
    piped: bool,
}

impl Splitter {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0);
        self.at += usize::from(c.is_some());
        c
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.file)
            && !self.skipping
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        (self.skipping, self.file) = (false, false);
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }

    fn split(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '\n' | ';' => self.end_command(),
                '&' if self.peek(0) != Some('>') => self.end_command(),
                '|' if self.peek(0) == Some('|') => {
                    self.at += 1;
                    self.end_command();
                }
                ' ' | '\t' | '\r' => self.end_word(),
                '#' if self.word.is_none() => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '|' => {
                    self.end_word();
                    (self.skipping, self.piped) = (true, true);
                }
                '<' if self.peek(0) == Some('<') => {
                    return Err("here-documents are not read; use --data".to_owned());
                }
                '<' | '>' | '&' => self.redirection(),
                '\'' => self.single()?,
                '"' => self.double()?,
                '$' if self.peek(0) == Some('\'') => {
                    self.at += 1;
                    self.ansi()?;
                }
                '$' if self.peek(0) == Some('"') => {}
                '$' | '`' => self.dollar(c)?,
                '^' if matches!(self.peek(0), Some('"' | '\n' | '\r' | '^')) => {
                    return Err(WINDOWS.to_owned());
                }
                '\\' => self.backslash(),
                c => self.push(c),
            }
        }
        Ok(())
    }

    /// `>file`, `2>&1`, `&>file`: what follows is no argument, and a number right before it neither.
    fn redirection(&mut self) {
        if self.word.as_ref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        while matches!(self.peek(0), Some('>' | '&' | '|')) {
            self.at += 1;
        }
        (self.file, self.piped) = (true, true);
    }

    /// Outside quotes: continues the line, or takes the next character as it is.
    fn backslash(&mut self) {
        match self.next() {
            Some('\r') if self.peek(0) == Some('\n') => self.at += 1,
            Some('\n') | None => {}
            Some(c) => self.push(c),
        }
    }

    fn single(&mut self) -> Result<(), String> {
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.push(c),
                None => return Err("a single quote is not closed".to_owned()),
            }
        }
    }

    fn double(&mut self) -> Result<(), String> {
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.peek(0) {
                    Some('\n') => self.at += 1,
                    Some(c @ ('$' | '`' | '"' | '\\')) => {
                        self.at += 1;
                        self.push(c);
                    }
                    _ => self.push('\\'),
                },
                Some(c @ ('$' | '`')) => self.dollar(c)?,
                Some(c) => self.push(c),
                None => return Err("a double quote is not closed".to_owned()),
            }
        }
    }

    /// A `$` that expands nothing is a character like others.
    fn dollar(&mut self, c: char) -> Result<(), String> {
        let name: String =
            self.chars.iter().skip(self.at).take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
        if c == '`' || self.peek(0) == Some('(') {
            return Err("the output of a command is not known here; put the value in".to_owned());
        }
        if !name.is_empty() || self.peek(0) == Some('{') {
            return Err(format!(
                "the shell variable ${name} is not known here; put its value in, or use single quotes"
            ));
        }
        self.push(c);
        Ok(())
    }

    /// Inside `$'…'`: escapes of ANSI C. Bytes by number must make up UTF-8.
    fn ansi(&mut self) -> Result<(), String> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut high: Option<u32> = None;
        loop {
            let c = self.next().ok_or("a quote that begins with $' is not closed")?;
            let c = match c {
                '\'' => break,
                '\\' => {
                    let escape = self.next().ok_or("a quote that begins with $' is not closed")?;
                    match escape {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        'e' | 'E' => '\u{1b}',
                        'f' => '\u{c}',
                        'v' => '\u{b}',
                        'x' => {
                            let byte = self.number(16, 2).ok_or("\\x needs hexadecimal digits")?;
                            bytes.push(u8::try_from(byte).unwrap_or_default());
                            continue;
                        }
                        '0'..='7' => {
                            self.at -= 1;
                            let byte = self.number(8, 3).unwrap_or_default() & 0xff;
                            bytes.push(u8::try_from(byte).unwrap_or_default());
                            continue;
                        }
                        'u' | 'U' => {
                            let most = if escape == 'u' { 4 } else { 8 };
                            let code = self.number(16, most).ok_or("\\u needs hexadecimal digits")?;
                            // Browsers write what is beyond 16 bits as two halves (UTF-16).
                            if (0xd800..0xdc00).contains(&code) && high.is_none() {
                                high = Some(code);
                                continue;
                            }
                            let code = match high.take() {
                                Some(high) if (0xdc00..0xe000).contains(&code) => {
                                    0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00)
                                }
                                Some(_) => return Err("\\u with half a character".to_owned()),
                                None => code,
                            };
                            char::from_u32(code).ok_or("\\u with what is no character")?
                        }
                        'c' => return Err("\\c in quotes that begin with $' is not read".to_owned()),
                        other @ ('\\' | '\'' | '"' | '?') => other,
                        other => {
                            bytes.push(b'\\');
                            other
                        }
                    }
                }
                c => c,
            };
            if high.is_some() {
                return Err("\\u with half a character".to_owned());
            }
            let mut buffer = [0; 4];
            bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
        let text = String::from_utf8(bytes).ok().filter(|_| high.is_none());
        let text = text.filter(|text| !text.contains('\0'));
        let text = text.ok_or("a value is binary, and a check sends texts")?;
        self.word.get_or_insert_default().push_str(&text);
        Ok(())
    }

    /// Up to `most` digits.
    fn number(&mut self, radix: u32, most: usize) -> Option<u32> {
        let mut number = None;
        for _ in 0..most {
            let Some(digit) = self.peek(0).and_then(|c| c.to_digit(radix)) else { break };
            self.at += 1;
            number = Some(number.unwrap_or(0u32).wrapping_mul(radix).wrapping_add(digit));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Result<Vec<Vec<String>>, String> {
        commands(text, &mut Vec::new())
    }

    #[test]
    fn splits_as_a_shell_does() {
        for (text, words) in [
            ("a  'b c' \"d \\\"e\\\" \\n\" f\\ g ''", vec!["a", "b c", "d \"e\" \\n", "f g", ""]),
            ("a \\\n  b \\\r\n c # no", vec!["a", "b", "c"]),
            ("a $'x\\n\\'\\u0021\\xc3\\xbc\\ud83d\\ude00\\101\\q'", vec!["a", "x\n'!ü😀A\\q"]),
            ("a 'x'\\''y' $ 10$", vec!["a", "x'y", "$", "10$"]),
            ("a b 2>&1 >/dev/null c | jq '.x;y' d", vec!["a", "b", "c"]),
        ] {
            assert_eq!(split(text), Ok(vec![words.into_iter().map(str::to_owned).collect()]), "{text}");
        }
        assert_eq!(split("a;\nb & c && d || e\n\n").map(|commands| commands.len()), Ok(5));
    }

    #[test]
    fn explains_what_it_cannot_read() {
        for (text, word) in [
            ("a 'b", "not closed"),
            ("a\nb \"c", "line 2"),
            ("a $'b", "not closed"),
            ("a \"$TOKEN\"", "$TOKEN"),
            ("a $(date)", "not known"),
            ("curl ^\"https://a^\"", "Windows"),
            ("curl \"https://a\" ^\r\n -H b", "Windows"),
            ("a $'\\xff'", "binary"),
            ("a $'\\ud83d'", "binary"),
            ("a <<E\nE", "here-document"),
        ] {
            let problem = split(text).expect_err(text);
            assert!(problem.contains(word), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn any_text_in_single_quotes_survives(text in "[^\0]{0,40}") {
            let quoted = text.replace('\'', "'\\''");
            prop_assert_eq!(split(&format!("x '{quoted}'")), Ok(vec![vec!["x".to_owned(), text]]));
        }

        #[test]
        fn anything_is_read_or_refused(text in "([$'\"\\\\^&|<>;#` \n]|u[0-9a-f]{4}|x[0-9a-f]|[0-9]|\\PC){0,40}") {
            let _ = split(&text);
        }
    }
}
