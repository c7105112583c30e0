//! The memory model of Armv8, multi-copy atomic (Pulte, Flur, Deacon, French, Sarkar and Sewell,
//! "Simplifying ARM Concurrency", POPL 2018), for litmus tests of AArch64 in herd7's format: those loads,
//! stores, exchanges and barriers that the files use.
//!
//! No address, value or branch there depends on a load, and one that does is refused: so the model's orders
//! by dependencies are left out.

use std::collections::BTreeMap;

use super::execution::{Execution, Kind, Mode, Part, Program, Short, Walk, executions};
use super::program::{Condition, Reader};
use super::rc11::Found;

/// A register that has an address has the location's.
#[derive(Clone, Copy, Debug)]
enum First {
    Number(i64),
    Address(usize),
}

#[derive(Clone, Debug)]
struct Instruction {
    name: String,
    /// As written: `X1` is in brackets, and a `W` register the half of an `X`.
    operands: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    initial: Vec<i64>,
    registers: Vec<BTreeMap<String, First>>,
    threads: Vec<Vec<Instruction>>,
    pub(super) negated: bool,
    condition: Condition,
}

impl Machine {
    /// The program that this text has.
    ///
    /// Panics on anything that it does not know.
    pub(super) fn parse(text: &str) -> Self {
        let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
        let name = head.strip_prefix("AArch64 ").unwrap_or_else(|| panic!("not of AArch64: {head}")).trim();
        // The table of the threads ends where the condition begins.
        let (before, table) = rest.split_once('}').expect("no first values");
        let at = table.find("exists").expect("no condition");
        let at =
            if table[..at].trim_end().ends_with('~') { table[..at].rfind('~').unwrap_or(at) } else { at };
        let (table, condition) = table.split_at(at);

        let mut reader = Reader::of(&format!("{before}}} {condition}"));
        let (mut initial, mut registers) = (Vec::new(), Vec::new());
        reader.expect("{");
        while !reader.take("}") {
            if reader.peek().starts_with(|letter: char| letter.is_ascii_digit()) {
                let thread = usize::try_from(reader.number()).unwrap();
                reader.expect(":");
                let register = reader.word();
                reader.expect("=");
                let is_number = reader.peek().starts_with(|letter: char| letter.is_ascii_digit());
                let first = if is_number {
                    First::Number(reader.number())
                } else {
                    First::Address(reader.location())
                };
                registers.resize_with(registers.len().max(thread + 1), BTreeMap::new);
                registers[thread].insert(register, first);
            } else {
                let location = reader.word();
                reader.expect("=");
                reader.locations.insert(location, initial.len());
                initial.push(reader.number());
            }
            reader.expect(";");
        }
        let negated = reader.take("~");
        reader.expect("exists");
        let condition = reader.condition();
        assert_eq!(reader.peek(), "", "{name}: more behind the condition");

        let rows = table.lines().map(str::trim).filter(|line| !line.is_empty());
        let rows = rows.map(|row| row.strip_suffix(';').unwrap_or_else(|| panic!("{name}: no end: {row}")));
        let mut rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<&str>>());
        let heads = rows.next().unwrap_or_default();
        let mut threads = vec![Vec::new(); heads.len()];
        assert!(heads.iter().enumerate().all(|(thread, head)| *head == format!("P{thread}")), "{heads:?}");
        for row in rows {
            assert_eq!(row.len(), threads.len(), "{name}: {row:?}");
            for (thread, text) in threads.iter_mut().zip(row).filter(|(_, text)| !text.is_empty()) {
                let (name, operands) = text.split_once(' ').unwrap_or((text, ""));
                let operands = operands.split(',').map(|operand| operand.trim().to_owned()).collect();
                thread.push(Instruction { name: name.to_owned(), operands });
            }
        }
        registers.resize_with(threads.len(), BTreeMap::new);
        Self { name: name.to_owned(), initial, registers, threads, negated, condition }
    }

    pub(super) fn explore(&self) -> Found {
        let mut found = Found::default();
        // A processor may load what follows from a store of its own that comes later.
        executions(self, true, &mut |execution| {
            if !is_allowed(execution) {
                return;
            }
            found.all += 1;
            found.with += usize::from(self.condition.holds(&execution.registers, &execution.memory));
        });
        found
    }
}

/// `W7` as `X7`: what the files have fits into either.
fn register(operand: &str) -> String {
    let number = operand.strip_prefix(['W', 'X']).unwrap_or_else(|| panic!("no register: {operand}"));
    format!("X{number}")
}

/// The orders of an access by its mnemonic's suffix: of the read, of the write.
fn modes(suffix: &str) -> (Mode, Mode) {
    match suffix {
        "" => (Mode::Relaxed, Mode::Relaxed),
        "A" => (Mode::SeqCst, Mode::Relaxed),
        "L" => (Mode::Relaxed, Mode::SeqCst),
        "AL" => (Mode::SeqCst, Mode::SeqCst),
        other => panic!("no such order: {other}"),
    }
}

impl Program for Machine {
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
        let first = &self.registers[thread];
        // The location that the last load has reserved, and where a store to it has to stand.
        let mut reserved = None;
        for Instruction { name, operands } in &self.threads[thread] {
            // What was loaded is there to be asked for at the end, and for nothing else.
            let known = |walk: &Walk<'_>, operand: &str| {
                let name = register(operand);
                assert!(!walk.path.registers.contains_key(&name), "{name} depends on a load");
                first.get(&name).copied()
            };
            let address = |walk: &Walk<'_>, operand: &str| {
                let name = operand.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                match known(walk, name.unwrap_or_else(|| panic!("no address: {operand}"))) {
                    Some(First::Address(location)) => location,
                    other => panic!("no address: {operand}, {other:?}"),
                }
            };
            let number = |walk: &Walk<'_>, operand: &str| match known(walk, operand) {
                Some(First::Number(number)) => number,
                other => panic!("no number: {operand}, {other:?}"),
            };
            let set = |walk: &mut Walk<'_>, operand: &str, value| {
                walk.path.registers.insert(register(operand), value);
            };
            let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
            match (&**name, &*operands) {
                ("DMB", [kind]) => {
                    let mode = match *kind {
                        "SY" | "ISH" => Mode::SeqCst,
                        "LD" | "ISHLD" => Mode::Acquire,
                        "ST" | "ISHST" => Mode::Release,
                        other => panic!("no barrier: {other}"),
                    };
                    walk.event(Kind::Fence, 0, 0, mode, Part::Own);
                }
                ("LDR" | "LDAR" | "LDAPR" | "LDXR" | "LDAXR", [to, at]) => {
                    let mode = match &**name {
                        "LDR" | "LDXR" => Mode::Relaxed,
                        "LDAPR" => Mode::Acquire,
                        _ => Mode::SeqCst,
                    };
                    let location = address(walk, at);
                    let value = walk.load(location, mode)?;
                    reserved = name.contains('X').then_some((location, walk.path.events.len()));
                    set(walk, to, value);
                }
                ("STR" | "STLR", [from, at]) => {
                    let mode = if name == "STLR" { Mode::SeqCst } else { Mode::Relaxed };
                    let (location, value) = (address(walk, at), number(walk, from));
                    walk.event(Kind::Write, location, value, mode, Part::Own);
                }
                ("STXR" | "STLXR", [status, from, at]) => {
                    // Only those that succeed: one that fails is tried again, by code that is not there.
                    let reservation = Some((address(walk, at), walk.path.events.len()));
                    assert!(reserved == reservation, "no load stands before this {name}");
                    let mode = if name == "STLXR" { Mode::SeqCst } else { Mode::Relaxed };
                    let (location, value) = (address(walk, at), number(walk, from));
                    walk.event(Kind::Write, location, value, mode, Part::Conditional);
                    set(walk, status, 0);
                }
                (_, [from, to, at]) if name.starts_with("SWP") => {
                    let (read, write) = modes(&name["SWP".len()..]);
                    let (value, location) = (number(walk, from), address(walk, at));
                    let found = walk.load(location, read)?;
                    walk.event(Kind::Write, location, value, write, Part::Exchange);
                    set(walk, to, found);
                }
                (_, [from, to, at]) if name.starts_with("LDUMAX") => {
                    let (read, write) = modes(&name["LDUMAX".len()..]);
                    let (value, location) = (number(walk, from), address(walk, at));
                    let found = walk.load(location, read)?;
                    walk.event(Kind::Write, location, found.max(value), write, Part::Exchange);
                    set(walk, to, found);
                }
                (_, [compared, new, at]) if name.starts_with("CAS") => {
                    let (read, write) = modes(&name["CAS".len()..]);
                    let (wanted, new, location) =
                        (number(walk, compared), number(walk, new), address(walk, at));
                    let found = walk.load(location, read)?;
                    if found == wanted {
                        walk.event(Kind::Write, location, new, write, Part::Exchange);
                    }
                    set(walk, compared, found);
                }
                _ => panic!("no instruction: {name} {operands:?}"),
            }
        }
        for (name, first) in first {
            if let First::Number(number) = first {
                walk.path.registers.entry(name.clone()).or_insert(*number);
            }
        }
        Ok(())
    }
}

/// The model's three axioms.
fn is_allowed(execution: &Execution) -> bool {
    let (po, rf, co, rmw) = (&execution.sb, &execution.rf, &execution.mo, &execution.rmw);
    let (fr, events) = (execution.rb(), &execution.events);
    let on_one_location = po.and(&execution.same_location());
    let is_internal = on_one_location.or(&fr).or(co).or(rf).is_acyclic();

    // Of different threads; what a location has at first is of none.
    let inside = |a: usize, b: usize| events[a].thread == events[b].thread && events[a].thread.is_some();
    let same_thread = super::relation::Relation::of(execution.size(), inside);
    let (rfe, coe, fre) = (rf.without(&same_thread), co.without(&same_thread), fr.without(&same_thread));
    let is_atomic = rmw.and(&fre.then(&coe)).is_empty();

    let reads = execution.set(|event| event.kind == Kind::Read);
    let writes = execution.set(|event| event.kind == Kind::Write);
    let acquire = execution.set(|event| event.kind == Kind::Read && event.mode == Mode::SeqCst);
    let acquire_pc = execution.set(|event| event.kind == Kind::Read && event.mode == Mode::Acquire);
    let release = execution.set(|event| event.kind == Kind::Write && event.mode == Mode::SeqCst);
    let fence = |mode| execution.set(|event| event.kind == Kind::Fence && event.mode == mode);
    let exchanged = execution.set(|event| event.part != Part::Own);
    let whole = execution.set(|event| event.part == Part::Exchange);

    // obs = rfe | coe | fre
    let obs = rfe.or(&coe).or(&fre);
    // aob = rmw | [range(rmw)]; rfi; [A | Q]
    let rfi = rf.and(&same_thread);
    let aob = rmw.or(&rfi.from(exchanged).to(acquire | acquire_pc));
    // bob = po; [DMB]; po | [L]; po; [A] | [R]; po; [DMB LD]; po | [A | Q]; po | [W]; po; [DMB ST]; po; [W]
    //     | po; [L] | po; [A]; amo; [L]; po
    let around = rmw.from(acquire).to(release & whole);
    let bob = po.to(fence(Mode::SeqCst)).then(po);
    let bob = bob.or(&po.from(release).to(acquire));
    let bob = bob.or(&po.from(reads).to(fence(Mode::Acquire)).then(po));
    let bob = bob.or(&po.from(acquire | acquire_pc));
    let bob = bob.or(&po.from(writes).to(fence(Mode::Release)).then(po).to(writes));
    let bob = bob.or(&po.to(release)).or(&po.then(&around).then(po));
    is_internal && is_atomic && obs.or(&aob).or(&bob).is_acyclic()
}
