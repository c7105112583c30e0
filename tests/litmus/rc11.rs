//! RC11, the memory model of Lahav, Vafeiadis, Kang, Hur and Dreyer ("Repairing Sequential Consistency in
//! C/C++11", PLDI 2017), with the paper's names.

use super::execution::{Execution, Kind, Mode, executions};
use super::program::Program;
use super::relation::Relation;

/// What an execution has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axiom {
    Coherence,
    Atomicity,
    SeqCst,
    NoThinAir,
}

/// RC11, or how it differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// This axiom is not asked for.
    pub(super) without: Option<Axiom>,
    /// A release sequence goes on through later stores of its own thread: in C11 and in RC11 it does, in
    /// C++20, whose model is Rust's, it goes on through exchanges alone.
    pub(super) own_stores: bool,
    /// The order of SeqCst accesses agrees with all of happens-before, as in C11.
    pub(super) as_c11: bool,
}

pub(super) const RC11: Model = Model { without: None, own_stores: true, as_c11: false };

/// What stands in the way of Rust's programs too.
pub(super) const CPP20: Model = Model { own_stores: false, ..RC11 };

/// What was found of a program.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The consistent executions.
    pub(super) all: usize,
    /// Those in which the condition holds.
    pub(super) with: usize,
    /// The locations of which a plain access and another are unordered, one of them a write.
    pub(super) races: Vec<String>,
}

impl Model {
    pub(super) fn explore(&self, program: &Program) -> Found {
        let mut found = Found::default();
        executions(program, self.without == Some(Axiom::NoThinAir), &mut |execution| {
            let derived = Derived::of(execution, self.own_stores);
            if self.broken(execution, &derived).is_some() {
                return;
            }
            found.all += 1;
            let holds = program.condition.holds(&execution.registers, &execution.memory);
            found.with += usize::from(holds);
            for location in derived.races(execution) {
                let name = &program.locations[location];
                if !found.races.contains(name) {
                    found.races.push(name.clone());
                }
            }
        });
        found
    }

    /// The first of the axioms that the execution breaks.
    fn broken(&self, execution: &Execution, derived: &Derived) -> Option<Axiom> {
        let (rf, mo, rmw, sb) = (&execution.rf, &execution.mo, &execution.rmw, &execution.sb);
        let (hb, rb) = (&derived.hb, &derived.rb);
        let keeps = |axiom| match axiom {
            Axiom::NoThinAir => sb.or(rf).is_acyclic(),
            Axiom::Atomicity => rmw.and(&rb.then(mo)).is_empty(),
            Axiom::Coherence => hb.then(&derived.eco.maybe()).is_irreflexive(),
            Axiom::SeqCst => derived.psc(execution, self.as_c11).is_acyclic(),
        };
        let axioms = [Axiom::NoThinAir, Axiom::Atomicity, Axiom::Coherence, Axiom::SeqCst];
        axioms.into_iter().find(|axiom| self.without != Some(*axiom) && !keeps(*axiom))
    }
}

/// The relations that follow from an execution's own.
struct Derived {
    hb: Relation,
    rb: Relation,
    /// Extended coherence order.
    eco: Relation,
    same_location: Relation,
}

impl Derived {
    fn of(execution: &Execution, own_stores: bool) -> Self {
        let (sb, rf, mo, rmw) = (&execution.sb, &execution.rf, &execution.mo, &execution.rmw);
        let same_location = execution.same_location();
        let is_atomic = |mode| mode != Mode::Plain;
        let writes = execution.set(|event| event.kind == Kind::Write);
        let atomic_writes = execution.set(|event| event.kind == Kind::Write && is_atomic(event.mode));
        let atomic_reads = execution.set(|event| event.kind == Kind::Read && is_atomic(event.mode));
        let fences = execution.set(|event| event.kind == Kind::Fence);
        let releases = execution.set(|event| event.mode.releases());
        let acquires = execution.set(|event| event.mode.acquires());

        // rs = [W]; (sb on one location)?; [atomic W]; (rf; rmw)*
        let own = if own_stores { sb.and(&same_location) } else { Relation::none(execution.size()) };
        let rs = own.maybe().from(writes).to(atomic_writes).then(&rf.then(rmw).star());
        // sw = [releases]; ([F]; sb)?; rs; rf; [atomic R]; (sb; [F])?; [acquires]
        let before = sb.from(fences).maybe().from(releases);
        let after = sb.to(fences).maybe().to(acquires);
        let sw = before.then(&rs).then(rf).to(atomic_reads).then(&after);
        let hb = sb.or(&sw).plus();
        let rb = execution.rb();
        let eco = rf.or(mo).or(&rb).plus();
        Self { hb, rb, eco, same_location }
    }

    /// Partial SC: in what order SeqCst accesses and fences must be.
    fn psc(&self, execution: &Execution, as_c11: bool) -> Relation {
        let (hb, sb) = (&self.hb, &execution.sb);
        let sc = execution.set(|event| event.mode == Mode::SeqCst);
        let fences = execution.set(|event| event.mode == Mode::SeqCst && event.kind == Kind::Fence);
        let elsewhere = sb.without(&self.same_location);
        // scb = sb | (sb to another location); hb; (sb to another location) | (hb on one location) | mo |
        // rb
        let scb = if as_c11 {
            hb.or(&execution.mo).or(&self.rb)
        } else {
            let through = elsewhere.then(hb).then(&elsewhere);
            sb.or(&through).or(&hb.and(&self.same_location)).or(&execution.mo).or(&self.rb)
        };
        // psc_base = ([SC] | [F SC]; hb?); scb; ([SC] | hb?; [F SC])
        let same = Relation::none(execution.size()).maybe();
        let begin = same.from(sc).or(&hb.maybe().from(fences));
        let end = same.to(sc).or(&hb.maybe().to(fences));
        let base = begin.then(&scb).then(&end);
        // psc_F = [F SC]; (hb | hb; eco; hb); [F SC]
        let by_fences = hb.or(&hb.then(&self.eco).then(hb)).from(fences).to(fences);
        base.or(&by_fences)
    }

    fn races(&self, execution: &Execution) -> Vec<usize> {
        let events = &execution.events;
        let mut races = Vec::new();
        for (a, first) in events.iter().enumerate() {
            for (b, second) in events.iter().enumerate().skip(a + 1) {
                let conflict = first.thread.is_some()
                    && first.thread != second.thread
                    && self.same_location.has(a, b)
                    && (first.kind == Kind::Write || second.kind == Kind::Write)
                    && (first.mode == Mode::Plain || second.mode == Mode::Plain);
                if conflict && !self.hb.has(a, b) && !self.hb.has(b, a) {
                    races.push(first.location);
                }
            }
        }
        races
    }
}
