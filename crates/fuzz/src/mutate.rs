//! Making inputs of inputs: bytes changed, words put in, pieces moved, repeated and nested, numbers
//! driven to their limits, halves of two samples joined.
//!
//! Invariant: draws from its seed only.

use world::World;

/// Words that many parsers treat specially.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "false",
    "-",
    "0",
    "-1",
    "1e999",
    "0.1",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "1e-400",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "日",
    "😀",
    "\r\n",
    "\t",
    " ",
    "/",
    "~1",
    "~0",
    ".",
    "..",
    "$",
    "%00",
    "*",
    "&",
    "!",
    "'",
    "<<",
    "---\n",
    "...\n",
    "|",
    ">",
    "?",
    "@",
    "#",
    "=",
    "()",
    "''",
    "\\",
];
/// Bytes at which something turns.
const BYTES: &[u8] = &[0, 1, 0x7f, 0x80, 0xc0, 0xed, 0xa0, 0xf4, 0xfe, 0xff, b'"', b'\\', b'\n'];
/// A piece is repeated so often at most.
const MAX_REPEATS: u64 = 64;
/// Seldom it is nested this deep, for what recurses.
const DEEP: usize = 20_000;

/// Where inputs come from.
#[derive(Debug)]
pub(crate) struct Mutator {
    world: World,
    words: &'static [&'static str],
}

impl Mutator {
    /// Draws from `seed`; knows the `words` of a target besides those of all.
    pub(crate) fn new(seed: u64, words: &'static [&'static str]) -> Self {
        Self { world: World::simulated(seed), words }
    }

    /// An input of at most `max` bytes.
    pub(crate) fn mutate(&self, samples: &[Vec<u8>], max: usize) -> Vec<u8> {
        let mut input = samples[self.below(samples.len())].clone();
        for _ in 0..=self.world.random_below(4) {
            self.change(&mut input, samples);
        }
        input.truncate(max);
        input
    }

    fn below(&self, bound: usize) -> usize {
        let below = self.world.random_below((bound as u64).max(1));
        usize::try_from(below).unwrap_or_default()
    }

    fn change(&self, input: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.world.random_below(12) {
            0 => input.truncate(at),
            1 => self.change_byte(input, at),
            2 => drop(input.drain(self.piece(input, at))),
            3 | 4 => splice(input, at, self.word().as_bytes()),
            5 => {
                let piece = self.piece(input, at);
                let word = self.word().as_bytes();
                drop(input.splice(piece, word.iter().copied()));
            }
            6 => {
                let piece = input[self.piece(input, at)].to_vec();
                let repeats = 1 + self.below(usize::try_from(MAX_REPEATS).unwrap_or(1));
                splice(input, at, &piece.repeat(repeats));
            }
            7 => {
                let piece = input[self.piece(input, at)].to_vec();
                let place = self.below(input.len() + 1);
                splice(input, place, &piece);
            }
            8 => {
                let other = &samples[self.below(samples.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            9 => self.swap_values(input),
            10 => self.replace_number(input),
            _ if self.world.random_below(200) == 0 => self.nest(input, at),
            _ => self.change_byte(input, at),
        }
    }

    fn word(&self) -> &'static str {
        let own = self.words.len();
        let chosen = if own > 0 && self.world.random_below(2) == 0 { self.words } else { WORDS };
        chosen[self.below(chosen.len())]
    }

    fn change_byte(&self, input: &mut [u8], at: usize) {
        let Some(byte) = input.get_mut(at) else { return };
        *byte = match self.world.random_below(3) {
            0 => *byte ^ (1 << self.world.random_below(8)),
            1 => BYTES[self.below(BYTES.len())],
            _ => u8::try_from(self.world.random_below(256)).unwrap_or_default(),
        };
    }

    /// A piece from `at` on: mostly short, at times up to a matching bracket.
    fn piece(&self, input: &[u8], at: usize) -> std::ops::Range<usize> {
        let at = at.min(input.len());
        if let Some(end) = closing(input, at)
            && self.world.random_below(2) == 0
        {
            return at..end;
        }
        let length = 1 + self.below(if self.world.random_below(4) == 0 { 200 } else { 12 });
        at..input.len().min(at + length)
    }

    /// Puts one value between brackets or quotes where another is.
    fn swap_values(&self, input: &mut Vec<u8>) {
        let starts: Vec<usize> =
            (0..input.len()).filter(|at| matches!(input[*at], b'{' | b'[' | b'"')).collect();
        if starts.is_empty() {
            return;
        }
        let pick = || starts[self.below(starts.len())];
        let (from, to) = (pick(), pick());
        let end = |at| closing(input, at).unwrap_or(input.len());
        let (source, place) = (input[from..end(from)].to_vec(), to..end(to));
        drop(input.splice(place, source));
    }

    fn replace_number(&self, input: &mut Vec<u8>) {
        let Some(start) = input.iter().position(u8::is_ascii_digit) else { return };
        let nth = start + self.below(input.len() - start);
        let Some(from) = (nth..input.len()).find(|at| input[*at].is_ascii_digit()) else { return };
        let to = (from..input.len()).find(|at| !input[*at].is_ascii_digit()).unwrap_or(input.len());
        let number = match self.world.random_below(4) {
            0 => self.world.random_u64().to_string(),
            1 => (1_u64 << self.world.random_below(64)).to_string(),
            2 => "9".repeat(1 + self.below(40)),
            _ => self.world.random_below(300).to_string(),
        };
        drop(input.splice(from..to, number.into_bytes()));
    }

    fn nest(&self, input: &mut Vec<u8>, at: usize) {
        const PAIRS: [(&str, &str); 5] =
            [("[", "]"), ("{\"a\":", "}"), ("(", ")"), ("- ", ""), ("{a: ", "}")];
        let (open, close) = PAIRS[self.below(PAIRS.len())];
        let depth = 1 + self.below(DEEP);
        let mut nested = open.repeat(depth).into_bytes();
        nested.extend_from_slice(b"1");
        nested.extend_from_slice(close.repeat(depth).as_bytes());
        splice(input, at, &nested);
    }
}

fn splice(input: &mut Vec<u8>, at: usize, text: &[u8]) {
    drop(input.splice(at..at, text.iter().copied()));
}

/// The end of what opens at `at`.
fn closing(input: &[u8], at: usize) -> Option<usize> {
    let open = *input.get(at)?;
    let close = match open {
        b'{' => b'}',
        b'[' => b']',
        b'(' => b')',
        b'"' => {
            let length = input[at + 1..].iter().position(|byte| *byte == b'"')?;
            return Some(at + length + 2);
        }
        _ => return None,
    };
    let mut depth = 0_usize;
    for (index, byte) in input.iter().enumerate().skip(at) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(index + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs() {
        let samples = vec![b"{\"a\": [1, 2], \"b\": \"c\"}".to_vec(), b"x=1,y".to_vec()];
        let inputs = |seed| {
            let mutator = Mutator::new(seed, &["in"]);
            (0..500).map(|_| mutator.mutate(&samples, 1000)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
        assert!(inputs(7).iter().all(|input| input.len() <= 1000));
    }

    #[test]
    fn brackets_find_their_end() {
        assert_eq!(closing(b"x[1,[2]]y", 1), Some(8));
        assert_eq!(closing(b"\"ab\"", 0), Some(4));
        assert_eq!(closing(b"[[", 0), None);
        assert_eq!(closing(b"abc", 3), None);
    }
}
