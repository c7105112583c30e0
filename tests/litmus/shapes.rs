//! The enumerator on shapes whose verdicts are in the literature: it says Never and Sometimes where that
//! does, and each axiom is needed for some of them.

use super::program::Program;
use super::rc11::{Axiom, CPP20, Model, RC11};

/// A test of locations x, y and z, which are 0 at first, in short: `W.rel x 1` stores, `R.acq x r0` loads,
/// `A.sc x 1 r0` adds and has what was there, `F.sc` is a fence. `na` is no atomic access.
fn shape(threads: &[&str], condition: &str) -> Program {
    let of = |name: &str| {
        let is_plain = threads.iter().any(|thread| thread.contains(&format!(".na {name} ")));
        format!("{}* {name}", if is_plain { "int" } else { "atomic_int" })
    };
    let parameters = ["x", "y", "z"].map(of).join(", ");
    let mut text = "C shape\n{ x = 0; y = 0; z = 0; }\n".to_owned();
    for (thread, statements) in threads.iter().enumerate() {
        text += &format!("P{thread} ({parameters}) {{\n");
        for statement in statements.split("; ") {
            text += &format!("{}\n", in_c(statement));
        }
        text += "}\n";
    }
    Program::parse(&format!("{text}exists ({condition})\n"))
}

fn in_c(statement: &str) -> String {
    let words: Vec<&str> = statement.split(' ').collect();
    let (what, mode) = words[0].split_once('.').unwrap();
    let mode = match mode {
        "na" => "",
        "rlx" => "memory_order_relaxed",
        "acq" => "memory_order_acquire",
        "rel" => "memory_order_release",
        "acqrel" => "memory_order_acq_rel",
        "sc" => "memory_order_seq_cst",
        other => panic!("no mode: {other}"),
    };
    match (what, &words[1..]) {
        ("W", [location, value]) if mode.is_empty() => format!("*{location} = {value};"),
        ("R", [location, register]) if mode.is_empty() => format!("int {register} = *{location};"),
        ("W", [location, value]) => format!("atomic_store_explicit({location}, {value}, {mode});"),
        ("R", [location, register]) => {
            format!("int {register} = atomic_load_explicit({location}, {mode});")
        }
        ("A", [location, more, register]) => {
            format!("int {register} = atomic_fetch_add_explicit({location}, {more}, {mode});")
        }
        ("F", []) => format!("atomic_thread_fence({mode});"),
        _ => panic!("no statement: {statement}"),
    }
}

fn comes_to(model: Model, threads: &[&str], condition: &str) -> bool {
    let found = model.explore(&shape(threads, condition));
    assert!(found.all > 0, "{threads:?} has no execution");
    found.with > 0
}

#[track_caller]
fn never(threads: &[&str], condition: &str) {
    assert!(!comes_to(RC11, threads, condition), "{threads:?} comes to {condition}");
}

#[track_caller]
fn sometimes(threads: &[&str], condition: &str) {
    assert!(comes_to(RC11, threads, condition), "{threads:?} never comes to {condition}");
}

/// Never, because of this axiom and no other.
#[track_caller]
fn never_by(axiom: Axiom, threads: &[&str], condition: &str) {
    never(threads, condition);
    for other in [Axiom::Coherence, Axiom::Atomicity, Axiom::SeqCst, Axiom::NoThinAir] {
        let comes = comes_to(Model { without: Some(other), ..RC11 }, threads, condition);
        assert_eq!(comes, other == axiom, "{threads:?} and {condition} without {other:?}");
    }
}

/// What C11's order of SeqCst accesses forbids and RC11's does not.
#[track_caller]
fn sometimes_but_not_in_c11(threads: &[&str], condition: &str) {
    sometimes(threads, condition);
    assert!(!comes_to(Model { as_c11: true, ..RC11 }, threads, condition), "{threads:?} in C11");
}

#[test]
fn store_buffering_needs_seq_cst_on_both_sides() {
    let both_old = "0:r0=0 /\\ 1:r0=0";
    never_by(Axiom::SeqCst, &["W.sc x 1; R.sc y r0", "W.sc y 1; R.sc x r0"], both_old);
    sometimes(&["W.rel x 1; R.acq y r0", "W.rel y 1; R.acq x r0"], both_old);
    sometimes(&["W.sc x 1; R.acq y r0", "W.sc y 1; R.sc x r0"], both_old);
    sometimes(&["W.rel x 1; R.sc y r0", "W.sc y 1; R.sc x r0"], both_old);
    let fenced = "W.rlx x 1; F.sc; R.rlx y r0";
    never_by(Axiom::SeqCst, &[fenced, "W.rlx y 1; F.sc; R.rlx x r0"], both_old);
    sometimes(&[fenced, "W.rlx y 1; F.acqrel; R.rlx x r0"], both_old);
    sometimes(&[fenced, "W.rlx y 1; R.rlx x r0"], both_old);
    // A fence on one side, accesses on the other.
    never_by(Axiom::SeqCst, &[fenced, "W.sc y 1; R.sc x r0"], both_old);
    sometimes(&[fenced, "W.sc y 1; R.acq x r0"], both_old);
    // An exchange is no fence for what stands behind it.
    sometimes(&["A.sc x 1 r1; R.rlx y r0", "A.sc y 1 r1; R.rlx x r0"], both_old);
    never(&["A.sc x 1 r1; R.sc y r0", "A.sc y 1 r1; R.sc x r0"], both_old);
}

#[test]
fn a_message_needs_release_and_acquire() {
    let old = "1:r0=1 /\\ 1:r1=0";
    never_by(Axiom::Coherence, &["W.rlx x 1; W.rel y 1", "R.acq y r0; R.rlx x r1"], old);
    sometimes(&["W.rlx x 1; W.rlx y 1", "R.acq y r0; R.rlx x r1"], old);
    sometimes(&["W.rlx x 1; W.rel y 1", "R.rlx y r0; R.rlx x r1"], old);
    never(&["W.rlx x 1; F.rel; W.rlx y 1", "R.rlx y r0; F.acq; R.rlx x r1"], old);
    never(&["W.rlx x 1; F.rel; W.rlx y 1", "R.acq y r0; R.rlx x r1"], old);
    never(&["W.rlx x 1; W.rel y 1", "R.rlx y r0; F.acq; R.rlx x r1"], old);
    sometimes(&["W.rlx x 1; F.acq; W.rlx y 1", "R.rlx y r0; F.acq; R.rlx x r1"], old);
    sometimes(&["W.rlx x 1; F.rel; W.rlx y 1", "R.rlx y r0; F.rel; R.rlx x r1"], old);
    sometimes(&["W.rlx x 1; W.rlx y 1; F.rel", "F.acq; R.rlx y r0; R.rlx x r1"], old);
    // A fence orders nothing through what is no atomic access.
    sometimes(&["W.rlx x 1; F.rel; W.na y 1", "R.na y r0; F.acq; R.rlx x r1"], old);
    // An exchange is a load in one half of its order, and a store in the other.
    for (order, releases, acquires) in [
        ("rlx", false, false),
        ("rel", true, false),
        ("acq", false, true),
        ("acqrel", true, true),
        ("sc", true, true),
    ] {
        let (store, load) = (format!("W.rlx x 1; A.{order} y 1 r9"), format!("A.{order} y 0 r0; R.rlx x r1"));
        assert_ne!(comes_to(RC11, &[&store, "R.acq y r0; R.rlx x r1"], old), releases, "{order}");
        assert_ne!(comes_to(RC11, &["W.rlx x 1; W.rel y 1", &load], old), acquires, "{order}");
    }
}

#[test]
fn loads_do_not_find_what_follows_from_them() {
    let both_new = "0:r0=1 /\\ 1:r0=1";
    never_by(Axiom::NoThinAir, &["R.rlx x r0; W.rlx y 1", "R.rlx y r0; W.rlx x 1"], both_new);
    never(&["R.acq x r0; W.rlx y 1", "R.rlx y r0; W.rlx x 1"], both_new);
    // Out of thin air: the value is the cycle's own.
    let copies = Program::parse(
        "C copies\n{ x = 0; y = 0; }\n\
         P0 (atomic_int* x, atomic_int* y) {\n\
           int r0 = atomic_load_explicit(x, memory_order_relaxed);\n\
           atomic_store_explicit(y, r0 + 1, memory_order_relaxed);\n\
         }\n\
         P1 (atomic_int* x, atomic_int* y) {\n\
           int r0 = atomic_load_explicit(y, memory_order_relaxed);\n\
           if (r0 == 1) { atomic_store_explicit(x, 1, memory_order_relaxed); } else { int r1 = 5; }\n\
         }\n\
         exists (0:r0=1 /\\ ~(1:r0=0))\n",
    );
    assert_eq!(RC11.explore(&copies).with, 0);
}

#[test]
fn independent_readers_agree_if_all_is_seq_cst() {
    let disagree = "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=1 /\\ 2:r1=0";
    let readers = |a: &str, between: &str, b: &str| {
        [("x", "y"), ("y", "x")].map(|(x, y)| format!("R.{a} {x} r0; {between}R.{b} {y} r1"))
    };
    for (writes, a, between, b, comes) in [
        ("sc", "sc", "", "sc", false),
        ("rel", "acq", "", "acq", true),
        ("sc", "acq", "", "acq", true),
        ("rel", "sc", "", "sc", true),
        ("rlx", "rlx", "F.sc; ", "rlx", false),
        ("rlx", "rlx", "F.acqrel; ", "rlx", true),
    ] {
        let [first, second] = readers(a, between, b);
        let threads = [&*format!("W.{writes} x 1"), &first, &second, &*format!("W.{writes} y 1")];
        assert_eq!(comes_to(RC11, &threads, disagree), comes, "{threads:?}");
    }
}

#[test]
fn two_writes_each_need_seq_cst() {
    let both_first = "x=1 /\\ y=1";
    never_by(Axiom::SeqCst, &["W.sc x 1; W.sc y 2", "W.sc y 1; W.sc x 2"], both_first);
    sometimes(&["W.rel x 1; W.rel y 2", "W.rel y 1; W.rel x 2"], both_first);
    sometimes(&["W.sc x 1; W.sc y 2", "W.rel y 1; W.sc x 2"], both_first);
    never(&["W.rlx x 1; F.sc; W.rlx y 2", "W.rlx y 1; F.sc; W.rlx x 2"], both_first);
}

#[test]
fn one_location_is_coherent() {
    never_by(Axiom::Coherence, &["W.rlx x 1", "R.rlx x r0; R.rlx x r1"], "1:r0=1 /\\ 1:r1=0");
    never_by(Axiom::Coherence, &["W.rlx x 1; R.rlx x r0"], "0:r0=0");
    never_by(Axiom::Coherence, &["W.rlx x 1; W.rlx x 2"], "x=1");
    never(&["R.rlx x r0; W.rlx x 1"], "0:r0=1");
    let both = &["W.rlx x 1", "W.rlx x 2", "R.rlx x r0; R.rlx x r1", "R.rlx x r0; R.rlx x r1"];
    never(both, "2:r0=1 /\\ 2:r1=2 /\\ 3:r0=2 /\\ 3:r1=1");
    sometimes(both, "2:r0=1 /\\ 2:r1=2 /\\ 3:r0=1 /\\ 3:r1=2");
    never(&["W.rlx x 1", "R.rlx x r0; W.rlx x 2"], "1:r0=1 /\\ x=1");
}

#[test]
fn exchanges_are_whole() {
    let adds = ["A.rlx x 1 r0", "A.rlx x 1 r0"];
    never_by(Axiom::Atomicity, &adds, "0:r0=0 /\\ 1:r0=0");
    sometimes(&adds, "0:r0=0 /\\ 1:r0=1 /\\ x=2");
    never(&["A.rlx x 1 r0", "A.rlx x 1 r0", "A.rlx x 1 r0"], "~(x=3)");
    never_by(Axiom::Atomicity, &["A.rlx x 2 r0", "W.rlx x 1"], "0:r0=0 /\\ x=2");
    sometimes(&["A.rlx x 2 r0", "W.rlx x 1"], "0:r0=1 /\\ x=3");
}

/// A compare-exchange that fails is a load, in the order that it has for that, and may find an old value.
#[test]
fn failed_exchange_is_a_load() {
    let program = |success: &str, failure: &str, condition: &str| {
        Program::parse(&format!(
            "C failing\n{{ x = 0; y = 1; wanted = 1; }}\n\
             P0 (atomic_int* x, atomic_int* y) {{\n\
               atomic_store_explicit(x, 1, memory_order_relaxed);\n\
               atomic_store_explicit(y, 2, memory_order_release);\n\
             }}\n\
             P1 (atomic_int* x, atomic_int* y, int* wanted) {{\n\
               int r0 = atomic_compare_exchange_strong_explicit(y, wanted, 3, memory_order_{success}, memory_order_{failure});\n\
               int r1 = *wanted;\n\
               int r2 = atomic_load_explicit(x, memory_order_relaxed);\n\
             }}\n\
             exists ({condition})\n"
        ))
    };
    let old = "1:r0=0 /\\ 1:r1=2 /\\ 1:r2=0";
    assert_eq!(RC11.explore(&program("acquire", "acquire", old)).with, 0);
    assert_eq!(RC11.explore(&program("acquire", "relaxed", old)).with, 1);
    // It did not see the store, so it succeeds, and the store comes later.
    let found = RC11.explore(&program("acquire", "acquire", "1:r0=1 /\\ y=3"));
    assert_eq!((found.with, found.races.len()), (0, 0));
    assert!(RC11.explore(&program("acquire", "acquire", "1:r0=1 /\\ 1:r1=1 /\\ y=2")).with > 0);
}

#[test]
fn messages_travel_on_from_thread_to_thread() {
    let old = "1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0";
    let last = "R.acq y r0; R.rlx x r1";
    never(&["W.rel x 1", "R.acq x r0; W.rel y 1", last], old);
    never(&["W.rlx x 1", "R.rlx x r0; W.rel y 1", last], old);
    sometimes(&["W.rlx x 1", "R.rlx x r0; W.rlx y 1", last], old);
    sometimes(&["W.rel x 1", "R.acq x r0; W.rel y 1", "R.rlx y r0; R.rlx x r1"], old);
    // ISA2: over three locations, each of which has to hand on.
    let old = "1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0";
    let first = "W.rlx x 1; W.rel y 1";
    never(&[first, "R.acq y r0; W.rel z 1", "R.acq z r0; R.rlx x r1"], old);
    sometimes(&[first, "R.rlx y r0; W.rel z 1", "R.acq z r0; R.rlx x r1"], old);
}

#[test]
fn release_sequences_go_through_exchanges() {
    let first = "W.rlx x 1; W.rel y 1";
    let last = "R.acq y r0; R.rlx x r1";
    never(&[first, "A.rlx y 1 r0", last], "1:r0=1 /\\ 2:r0=2 /\\ 2:r1=0");
    never(&[first, "A.rlx y 1 r0", "A.rlx y 1 r0", last], "1:r0=1 /\\ 2:r0=2 /\\ 3:r0=3 /\\ 3:r1=0");
    // A store of another thread begins anew.
    sometimes(&[first, "R.rlx y r0; W.rlx y 2", last], "1:r0=1 /\\ 2:r0=2 /\\ 2:r1=0");
    // One of the same thread does not, until C++20.
    let own: &[&str] = &["W.rlx x 1; W.rel y 1; W.rlx y 2", last];
    never(own, "1:r0=2 /\\ 1:r1=0");
    assert!(comes_to(CPP20, own, "1:r0=2 /\\ 1:r1=0"));
    assert!(!comes_to(CPP20, &[first, "A.rlx y 1 r0", last], "1:r0=1 /\\ 2:r0=2 /\\ 2:r1=0"));
}

/// Where an access that is not SeqCst stands between two that are, as compilers for Power have it.
#[test]
fn seq_cst_is_weaker_than_happens_before_as_in_rc11() {
    // Z6.U
    sometimes_but_not_in_c11(
        &["W.sc x 1; W.rel y 1", "A.sc y 1 r0; R.rlx y r1", "W.sc y 3; R.sc x r0"],
        "1:r0=1 /\\ 1:r1=3 /\\ 2:r0=0",
    );
    // IRIW whose readers acquire first.
    sometimes_but_not_in_c11(
        &["W.sc x 1", "R.acq x r0; R.sc y r1", "R.acq y r0; R.sc x r1", "W.sc y 1"],
        "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=1 /\\ 2:r1=0",
    );
    // The store is SeqCst, or the way there ends with another access of that thread: ordered in both.
    never(
        &["W.sc x 1; W.sc y 1", "A.sc y 1 r0; R.rlx y r1", "W.sc y 3; R.sc x r0"],
        "1:r0=1 /\\ 1:r1=3 /\\ 2:r0=0",
    );
    never_by(
        Axiom::SeqCst,
        &["W.sc x 1; W.rel y 1", "R.acq y r0; W.sc z 1", "W.sc z 2; R.sc x r0"],
        "1:r0=1 /\\ z=2 /\\ 2:r0=0",
    );
}

/// And where its fences are stronger than C11's.
#[test]
fn fences_restore_order_as_in_rc11() {
    // RWC
    let reads = "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=0";
    never_by(
        Axiom::SeqCst,
        &["W.rlx x 1", "R.rlx x r0; F.sc; R.rlx y r1", "W.rlx y 1; F.sc; R.rlx x r0"],
        reads,
    );
    sometimes(&["W.rlx x 1", "R.rlx x r0; F.acqrel; R.rlx y r1", "W.rlx y 1; F.sc; R.rlx x r0"], reads);
    // Fences between all accesses leave what is sequentially consistent.
    never(&["W.rlx x 1; F.sc; W.rlx y 1", "W.rlx y 2; F.sc; R.rlx x r0"], "y=2 /\\ 1:r0=0");
    sometimes(&["W.rlx x 1; F.sc; W.rlx y 1", "W.rlx y 2; F.rel; R.rlx x r0"], "y=2 /\\ 1:r0=0");
}

#[test]
fn unordered_plain_accesses_are_races() {
    let of_message = |release: &str, acquire: &str| {
        let text = format!(
            "C message\n{{ x = 0; y = 0; }}\n\
             P0 (int* x, atomic_int* y) {{ *x = 1; atomic_store_explicit(y, 1, memory_order_{release}); }}\n\
             P1 (int* x, atomic_int* y) {{\n\
               int r0 = atomic_load_explicit(y, memory_order_{acquire});\n\
               if (r0 == 1) {{ int r1 = *x; }}\n\
             }}\n\
             exists (1:r0=1 /\\ 1:r1=0)\n"
        );
        RC11.explore(&Program::parse(&text)).races
    };
    assert_eq!(of_message("release", "acquire"), [""; 0]);
    assert_eq!(of_message("relaxed", "acquire"), ["x"]);
    assert_eq!(of_message("release", "relaxed"), ["x"]);
    let any = "x=0 \\/ ~(x=0)";
    assert_eq!(RC11.explore(&shape(&["W.na x 1", "W.na x 2"], any)).races, ["x"]);
    assert_eq!(RC11.explore(&shape(&["R.na x r0", "R.na x r0"], any)).races, [""; 0]);
}

#[test]
fn what_is_not_understood_is_not_passed() {
    let refused = |text: &str| std::panic::catch_unwind(|| RC11.explore(&Program::parse(text)).all).is_err();
    let head = "C odd\n{ x = 0; }\nP0 (atomic_int* x) {";
    let load = "int r0 = atomic_load_explicit(x, memory_order_relaxed);";
    assert!(!refused(&format!("{head} {load} }}\nexists (0:r0=0)\n")));
    for (body, condition) in [
        (load.replace("load", "look"), "0:r0=0"),
        (load.replace("relaxed", "consume"), "0:r0=0"),
        (load.replace("relaxed", "release"), "0:r0=0"),
        (load.replace("(x,", "(y,"), "0:r0=0"),
        (load.replace(';', ""), "0:r0=0"),
        ("int r0 = *x;".to_owned(), "0:r0=0"),
        ("int r0 = r1;".to_owned(), "0:r0=0"),
        (load.to_owned(), "0:r1=0"),
        (load.to_owned(), "y=0"),
        (load.to_owned(), "0:r0=0) (x=0"),
        (format!("while (1 == 1) {{ {load} }}"), "0:r0=0"),
    ] {
        assert!(refused(&format!("{head} {body} }}\nexists ({condition})\n")), "{body} {condition}");
    }
}
