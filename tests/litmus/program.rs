//! A litmus test in herd7's format for C, as far as the files use it: locations, threads of loads, stores,
//! exchanges, fences and `if`, and a condition on what the registers and locations have at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::execution::{self, Kind, Mode, Part, Short, Walk};

/// A value that a thread comes to.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Number(i64),
    Register(String),
    Load(usize, Mode),
    /// What stands at the location before: the function makes the new value of that and of the operand.
    Exchange(usize, fn(i64, i64) -> i64, Box<Expression>, Mode),
    /// Stores the third if the location has what the second location has, and says whether it did; if not,
    /// the second location gets what was found.
    CompareExchange(usize, usize, Box<Expression>, Mode, Mode),
    Both(fn(i64, i64) -> i64, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Set(String, Expression),
    Evaluate(Expression),
    Store(usize, Expression, Mode),
    Fence(Mode),
    If(Expression, Vec<Statement>, Vec<Statement>),
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    Register(usize, String, i64),
    Location(usize, i64),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// What is asked of registers that the thread has not set is an error: the answer would be the tool's.
    pub(super) fn holds(&self, registers: &[BTreeMap<String, i64>], memory: &[i64]) -> bool {
        match self {
            Self::Register(thread, name, value) => match registers[*thread].get(name) {
                Some(found) => found == value,
                None => panic!("the condition asks for {thread}:{name}, which is not set"),
            },
            Self::Location(location, value) => memory[*location] == *value,
            Self::Not(condition) => !condition.holds(registers, memory),
            Self::And(a, b) => a.holds(registers, memory) && b.holds(registers, memory),
            Self::Or(a, b) => a.holds(registers, memory) || b.holds(registers, memory),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) locations: Vec<String>,
    pub(super) initial: Vec<i64>,
    pub(super) threads: Vec<Vec<Statement>>,
    /// `~exists`, `exists`
    pub(super) negated: bool,
    pub(super) condition: Condition,
}

impl Program {
    /// The program that this text has.
    ///
    /// Panics on anything that it does not know: what is not understood is not checked.
    pub(super) fn parse(text: &str) -> Self {
        let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
        let name = head.strip_prefix("C ").unwrap_or_else(|| panic!("no test in C: {head}")).trim();
        let mut reader = Reader::of(rest);
        let mut initial = Vec::new();
        reader.expect("{");
        while !reader.take("}") {
            let location = reader.word();
            reader.expect("=");
            initial.push(reader.number());
            reader.expect(";");
            let number = reader.locations.len();
            assert!(reader.locations.insert(location, number).is_none(), "{name}: a location twice");
        }
        let mut threads = Vec::new();
        while reader.take(&format!("P{}", threads.len())) {
            threads.push(reader.thread());
        }
        let negated = reader.take("~");
        reader.expect("exists");
        let condition = reader.condition();
        assert_eq!(reader.peek(), "", "{name}: more behind the condition");
        let mut locations = vec![String::new(); initial.len()];
        for (location, number) in reader.locations {
            locations[number] = location;
        }
        Self { name: name.to_owned(), locations, initial, threads, negated, condition }
    }
}

impl execution::Program for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn initial(&self) -> &[i64] {
        &self.initial
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn run(&self, thread: usize, walk: &mut Walk<'_>) -> Result<(), Short> {
        run(walk, &self.threads[thread])
    }
}

fn evaluate(walk: &mut Walk<'_>, expression: &Expression) -> Result<i64, Short> {
    Ok(match expression {
        Expression::Number(number) => *number,
        Expression::Register(name) => {
            *walk.path.registers.get(name).unwrap_or_else(|| panic!("{name} is read before it is set"))
        }
        Expression::Load(location, mode) => walk.load(*location, *mode)?,
        Expression::Exchange(location, change, operand, mode) => {
            let operand = evaluate(walk, operand)?;
            walk.exchange(*location, |found| change(found, operand), *mode)?
        }
        Expression::CompareExchange(location, expected, new, success, failure) => {
            let wanted = walk.load(*expected, Mode::Plain)?;
            let new = evaluate(walk, new)?;
            if walk.next(*location)? == wanted {
                walk.exchange(*location, |_| new, *success)?;
                return Ok(1);
            }
            let found = walk.load(*location, *failure)?;
            walk.event(Kind::Write, *expected, found, Mode::Plain, Part::Own);
            0
        }
        Expression::Both(make, a, b) => {
            let a = evaluate(walk, a)?;
            make(a, evaluate(walk, b)?)
        }
    })
}

fn run(walk: &mut Walk<'_>, statements: &[Statement]) -> Result<(), Short> {
    for statement in statements {
        match statement {
            Statement::Set(name, value) => {
                let value = evaluate(walk, value)?;
                walk.path.registers.insert(name.clone(), value);
            }
            Statement::Evaluate(value) => _ = evaluate(walk, value)?,
            Statement::Store(location, value, mode) => {
                let value = evaluate(walk, value)?;
                walk.event(Kind::Write, *location, value, *mode, Part::Own);
            }
            Statement::Fence(mode) => walk.event(Kind::Fence, 0, 0, *mode, Part::Own),
            Statement::If(condition, then, otherwise) => {
                let chosen = if evaluate(walk, condition)? != 0 { then } else { otherwise };
                run(walk, chosen)?;
            }
        }
    }
    Ok(())
}

/// Words, numbers and signs, without comments: `(* .. *)` before the first brace, `// ..` everywhere.
fn tokens(text: &str) -> Vec<String> {
    let mut text = text.trim_start();
    while let Some(comment) = text.strip_prefix("(*") {
        text = comment.split_once("*)").expect("a comment without an end").1.trim_start();
    }
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.split("//").next().unwrap_or("").trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let signs = ["==", "!=", "/\\", "\\/"];
            let end = if is_word(first) {
                rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
            } else {
                signs.iter().find(|sign| rest.starts_with(**sign)).map_or(first.len_utf8(), |sign| sign.len())
            };
            tokens.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
        }
    }
    tokens
}

pub(super) struct Reader {
    tokens: Vec<String>,
    at: usize,
    pub(super) locations: BTreeMap<String, usize>,
    /// The parameters of the present thread that are no atomics.
    plain: BTreeSet<usize>,
}

impl Reader {
    pub(super) fn of(text: &str) -> Self {
        Self { tokens: tokens(text), at: 0, locations: BTreeMap::new(), plain: BTreeSet::new() }
    }

    pub(super) fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| token)
    }

    pub(super) fn word(&mut self) -> String {
        let word = self.peek().to_owned();
        assert!(word.starts_with(|letter: char| letter.is_alphabetic()), "no name: `{word}`");
        self.at += 1;
        word
    }

    pub(super) fn number(&mut self) -> i64 {
        let number = self.peek().parse().unwrap_or_else(|_| panic!("no number: `{}`", self.peek()));
        self.at += 1;
        number
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        let is_next = self.peek() == token;
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expect(&mut self, token: &str) {
        let before = self.tokens[self.at.saturating_sub(8)..self.at].join(" ");
        assert!(self.take(token), "`{}` instead of `{token}` behind `{before}`", self.peek());
    }

    pub(super) fn location(&mut self) -> usize {
        let name = self.word();
        *self.locations.get(&name).unwrap_or_else(|| panic!("{name} has no first value"))
    }

    fn atomic(&mut self) -> usize {
        let location = self.location();
        assert!(!self.plain.contains(&location), "an atomic access of what is no atomic");
        location
    }

    fn plain(&mut self) -> usize {
        let location = self.location();
        assert!(self.plain.contains(&location), "a plain access of an atomic");
        location
    }

    fn mode(&mut self) -> Mode {
        match &*self.word() {
            "memory_order_relaxed" => Mode::Relaxed,
            "memory_order_acquire" => Mode::Acquire,
            "memory_order_release" => Mode::Release,
            "memory_order_acq_rel" => Mode::AcqRel,
            "memory_order_seq_cst" => Mode::SeqCst,
            other => panic!("no memory order: {other}"),
        }
    }

    fn thread(&mut self) -> Vec<Statement> {
        self.expect("(");
        self.plain.clear();
        while !self.take(")") {
            let kind = self.word();
            self.expect("*");
            let location = self.location();
            match &*kind {
                "atomic_int" => {}
                "int" => _ = self.plain.insert(location),
                other => panic!("no type: {other}"),
            }
            self.take(",");
        }
        self.block()
    }

    fn block(&mut self) -> Vec<Statement> {
        self.expect("{");
        let mut statements = Vec::new();
        while !self.take("}") {
            statements.push(self.statement());
        }
        statements
    }

    fn statement(&mut self) -> Statement {
        let statement = match self.peek() {
            "if" => {
                self.at += 1;
                self.expect("(");
                let condition = self.expression();
                self.expect(")");
                let then = self.block();
                let otherwise = if self.take("else") { self.block() } else { Vec::new() };
                return Statement::If(condition, then, otherwise);
            }
            "int" => {
                self.at += 1;
                let name = self.word();
                self.expect("=");
                Statement::Set(name, self.expression())
            }
            "*" => {
                self.at += 1;
                let location = self.plain();
                self.expect("=");
                Statement::Store(location, self.expression(), Mode::Plain)
            }
            "atomic_store_explicit" => {
                self.at += 1;
                self.expect("(");
                let location = self.atomic();
                self.expect(",");
                let value = self.expression();
                self.expect(",");
                let mode = self.mode();
                self.expect(")");
                assert!(!mode.acquires() || mode == Mode::SeqCst, "a store that acquires");
                Statement::Store(location, value, mode)
            }
            "atomic_thread_fence" => {
                self.at += 1;
                self.expect("(");
                let mode = self.mode();
                self.expect(")");
                Statement::Fence(mode)
            }
            _ => Statement::Evaluate(self.expression()),
        };
        self.expect(";");
        statement
    }

    fn expression(&mut self) -> Expression {
        let left = self.operand();
        let make: fn(i64, i64) -> i64 = match self.peek() {
            "==" => |a, b| i64::from(a == b),
            "!=" => |a, b| i64::from(a != b),
            "+" => |a, b| a + b,
            "-" => |a, b| a - b,
            "&" => |a, b| a & b,
            _ => return left,
        };
        self.at += 1;
        Expression::Both(make, Box::new(left), Box::new(self.operand()))
    }

    fn operand(&mut self) -> Expression {
        if self.peek().starts_with(|letter: char| letter.is_ascii_digit()) {
            return Expression::Number(self.number());
        }
        if self.take("*") {
            return Expression::Load(self.plain(), Mode::Plain);
        }
        if self.take("(") {
            let inner = self.expression();
            self.expect(")");
            return inner;
        }
        let word = self.word();
        let change: fn(i64, i64) -> i64 = match &*word {
            "atomic_load_explicit" => {
                self.expect("(");
                let location = self.atomic();
                self.expect(",");
                let mode = self.mode();
                self.expect(")");
                assert!(!mode.releases() || mode == Mode::SeqCst, "a load that releases");
                return Expression::Load(location, mode);
            }
            "atomic_compare_exchange_strong_explicit" => {
                self.expect("(");
                let location = self.atomic();
                self.expect(",");
                let expected = self.plain();
                self.expect(",");
                let new = self.expression();
                self.expect(",");
                let success = self.mode();
                self.expect(",");
                let failure = self.mode();
                self.expect(")");
                assert!(!failure.releases() || failure == Mode::SeqCst, "a failure that releases");
                return Expression::CompareExchange(location, expected, Box::new(new), success, failure);
            }
            "atomic_exchange_explicit" => |_, new| new,
            "atomic_fetch_add_explicit" => |old, more| old + more,
            "atomic_fetch_sub_explicit" => |old, less| old - less,
            "atomic_fetch_or_explicit" => |old, bits| old | bits,
            "atomic_fetch_and_explicit" => |old, bits| old & bits,
            _ => {
                assert!(self.peek() != "(", "no function: {word}");
                return Expression::Register(word);
            }
        };
        self.expect("(");
        let location = self.atomic();
        self.expect(",");
        let operand = self.expression();
        self.expect(",");
        let mode = self.mode();
        self.expect(")");
        Expression::Exchange(location, change, Box::new(operand), mode)
    }

    /// Either, with `/\` before `\/`.
    pub(super) fn condition(&mut self) -> Condition {
        let mut condition = self.conjunction();
        while self.take("\\/") {
            condition = Condition::Or(Box::new(condition), Box::new(self.conjunction()));
        }
        condition
    }

    fn conjunction(&mut self) -> Condition {
        let mut condition = self.atom();
        while self.take("/\\") {
            condition = Condition::And(Box::new(condition), Box::new(self.atom()));
        }
        condition
    }

    fn atom(&mut self) -> Condition {
        if self.take("~") {
            return Condition::Not(Box::new(self.atom()));
        }
        if self.take("(") {
            let inner = self.condition();
            self.expect(")");
            return inner;
        }
        if self.peek().starts_with(|letter: char| letter.is_ascii_digit()) {
            let thread = usize::try_from(self.number()).unwrap();
            self.expect(":");
            let name = self.word();
            self.expect("=");
            return Condition::Register(thread, name, self.number());
        }
        let bracket = self.take("[");
        let location = self.location();
        if bracket {
            self.expect("]");
        }
        self.expect("=");
        Condition::Location(location, self.number())
    }
}
