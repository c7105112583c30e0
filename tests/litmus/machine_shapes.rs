//! As `shapes`, of AArch64: each shape with the verdict of the literature.

use super::aarch64::Machine;

/// A test of locations x, y and z, which are 0 at first and whose addresses are in X1, X2 and X3. `W10` to
/// `W12` have 0, 1 and 2; what is loaded goes to others.
fn comes_to(threads: &[&str], condition: &str) -> bool {
    let mut text = "AArch64 shape\n{ x = 0; y = 0; z = 0;".to_owned();
    for thread in 0..threads.len() {
        text += &format!(" {thread}:X1=x; {thread}:X2=y; {thread}:X3=z;");
        for value in 0..3 {
            text += &format!(" {thread}:X1{value}={value};");
        }
    }
    let columns: Vec<Vec<&str>> = threads.iter().map(|thread| thread.split("; ").collect()).collect();
    let heads: Vec<String> = (0..threads.len()).map(|thread| format!("P{thread}")).collect();
    text += &format!(" }}\n {} ;\n", heads.join(" | "));
    for row in 0..columns.iter().map(Vec::len).max().unwrap_or(0) {
        let row: Vec<&str> = columns.iter().map(|column| column.get(row).copied().unwrap_or("")).collect();
        text += &format!(" {} ;\n", row.join(" | "));
    }
    let found = Machine::parse(&format!("{text}exists ({condition})\n")).explore();
    assert!(found.all > 0, "{threads:?} has no execution");
    found.with > 0
}

#[track_caller]
fn never(threads: &[&str], condition: &str) {
    assert!(!comes_to(threads, condition), "{threads:?} comes to {condition}");
}

#[track_caller]
fn sometimes(threads: &[&str], condition: &str) {
    assert!(comes_to(threads, condition), "{threads:?} never comes to {condition}");
}

#[test]
fn store_buffering() {
    let both_old = "0:X4=0 /\\ 1:X4=0";
    let by = |between: &str, load: &str| {
        [("[X1]", "[X2]"), ("[X2]", "[X1]")].map(|(to, from)| format!("{between} W11,{to}; {load} W4,{from}"))
    };
    for (store, load, comes) in
        [("STR", "LDR", true), ("STLR", "LDR", true), ("STLR", "LDAPR", true), ("STLR", "LDAR", false)]
    {
        let [first, second] = by(store, load);
        assert_eq!(comes_to(&[&first, &second], both_old), comes, "{store} {load}");
    }
    for (barrier, comes) in [("SY", false), ("ISH", false), ("ISHLD", true), ("ISHST", true)] {
        let first = format!("STR W11,[X1]; DMB {barrier}; LDR W4,[X2]");
        let second = format!("STR W11,[X2]; DMB {barrier}; LDR W4,[X1]");
        assert_eq!(comes_to(&[&first, &second], both_old), comes, "{barrier}");
    }
}

#[test]
fn messages() {
    let old = "1:X4=1 /\\ 1:X5=0";
    sometimes(&["STR W11,[X1]; STR W11,[X2]", "LDR W4,[X2]; LDR W5,[X1]"], old);
    sometimes(&["STR W11,[X1]; STLR W11,[X2]", "LDR W4,[X2]; LDR W5,[X1]"], old);
    sometimes(&["STR W11,[X1]; STR W11,[X2]", "LDAR W4,[X2]; LDR W5,[X1]"], old);
    for load in ["LDAR", "LDAPR"] {
        never(&["STR W11,[X1]; STLR W11,[X2]", &format!("{load} W4,[X2]; LDR W5,[X1]")], old);
    }
    never(&["STR W11,[X1]; DMB ST; STR W11,[X2]", "LDR W4,[X2]; DMB LD; LDR W5,[X1]"], old);
    sometimes(&["STR W11,[X1]; DMB LD; STR W11,[X2]", "LDR W4,[X2]; DMB LD; LDR W5,[X1]"], old);
    sometimes(&["STR W11,[X1]; DMB ST; STR W11,[X2]", "LDR W4,[X2]; DMB ST; LDR W5,[X1]"], old);
    // What an exchange stores is seen by an acquiring load.
    never(&["STR W11,[X1]; SWPL W11,W6,[X2]", "LDAR W4,[X2]; LDR W5,[X1]"], old);
    sometimes(&["STR W11,[X1]; SWPA W11,W6,[X2]", "LDAR W4,[X2]; LDR W5,[X1]"], old);
}

#[test]
fn loads_and_stores_that_nothing_orders() {
    sometimes(&["LDR W4,[X1]; STR W11,[X2]", "LDR W4,[X2]; STR W11,[X1]"], "0:X4=1 /\\ 1:X4=1");
    never(&["LDR W4,[X1]; STLR W11,[X2]", "LDR W4,[X2]; STLR W11,[X1]"], "0:X4=1 /\\ 1:X4=1");
    never(&["LDAR W4,[X1]; STR W11,[X2]", "LDAPR W4,[X2]; STR W11,[X1]"], "0:X4=1 /\\ 1:X4=1");
    sometimes(&["STR W11,[X1]; STR W12,[X2]", "STR W11,[X2]; STR W12,[X1]"], "x=1 /\\ y=1");
    never(&["STR W11,[X1]; STLR W12,[X2]", "STR W11,[X2]; STLR W12,[X1]"], "x=1 /\\ y=1");
}

/// The stores of a thread become visible to all others at once.
#[test]
fn stores_are_multi_copy_atomic() {
    let readers = ["LDAR W4,[X1]; LDR W5,[X2]", "LDAR W4,[X2]; LDR W5,[X1]"];
    let disagree = "1:X4=1 /\\ 1:X5=0 /\\ 2:X4=1 /\\ 2:X5=0";
    never(&["STR W11,[X1]", readers[0], readers[1], "STR W11,[X2]"], disagree);
    let unordered = ["LDR W4,[X1]; LDR W5,[X2]", "LDR W4,[X2]; LDR W5,[X1]"];
    sometimes(&["STR W11,[X1]", unordered[0], unordered[1], "STR W11,[X2]"], disagree);
    never(
        &["STR W11,[X1]", "LDR W4,[X1]; STLR W11,[X2]", "LDAR W4,[X2]; LDR W5,[X1]"],
        "1:X4=1 /\\ 2:X4=1 /\\ 2:X5=0",
    );
}

#[test]
fn coherence_and_exchanges() {
    never(&["STR W11,[X1]", "LDR W4,[X1]; LDR W5,[X1]"], "1:X4=1 /\\ 1:X5=0");
    never(&["STR W11,[X1]; STR W12,[X1]"], "x=1");
    never(&["SWP W11,W4,[X1]", "SWP W12,W4,[X1]"], "0:X4=0 /\\ 1:X4=0");
    let pair = |value| format!("LDXR W4,[X1]; STXR W8,{value},[X1]");
    never(&[&pair("W11"), &pair("W12")], "0:X4=0 /\\ 1:X4=0");
    sometimes(&[&pair("W11"), &pair("W12")], "0:X4=0 /\\ 1:X4=1");
    // A comparison that fails stores nothing.
    never(&["STR W12,[X1]", "CAS W10,W11,[X1]"], "1:X10=2 /\\ ~(x=2)");
    sometimes(&["STR W12,[X1]", "CAS W10,W11,[X1]"], "1:X10=0 /\\ x=2");
}

/// An exchange with both orders is a barrier between what stands before and behind it; a pair is none, and
/// its store may come after loads behind it.
#[test]
fn whole_exchanges_order_more_than_pairs() {
    let both_old = "0:X4=0 /\\ 1:X4=0";
    let around = |exchange: &str| format!("STR W11,[X1]; {exchange}; LDR W4,[X2]");
    let other = "STR W11,[X2]; DMB SY; LDR W4,[X1]";
    never(&[&around("SWPAL W11,W6,[X3]"), other], both_old);
    never(&[&around("CASAL W10,W11,[X3]"), other], both_old);
    sometimes(&[&around("SWPA W11,W6,[X3]"), other], both_old);
    sometimes(&[&around("SWPL W11,W6,[X3]"), other], both_old);
    sometimes(&[&around("LDAXR W6,[X3]; STLXR W8,W11,[X3]"), other], both_old);
    // The exchange's own store is not ordered before a plain load.
    sometimes(&["SWPAL W11,W6,[X1]; LDR W4,[X2]", "SWPAL W11,W6,[X2]; LDR W4,[X1]"], both_old);
    never(&["SWPAL W11,W6,[X1]; LDAR W4,[X2]", "SWPAL W11,W6,[X2]; LDAR W4,[X1]"], both_old);
}

/// A thread may see its own store before others do, but not that of its exchange.
#[test]
fn stores_are_forwarded_and_exchanges_are_not() {
    let old = "0:X5=1 /\\ 0:X4=0 /\\ 1:X4=0";
    let other = "STR W11,[X2]; DMB SY; LDR W4,[X1]";
    sometimes(&["STR W11,[X1]; LDAR W5,[X1]; LDR W4,[X2]", other], old);
    never(&["SWP W11,W6,[X1]; LDAR W5,[X1]; LDR W4,[X2]", other], old);
    never(&["LDXR W6,[X1]; STXR W8,W11,[X1]; LDAPR W5,[X1]; LDR W4,[X2]", other], old);
    sometimes(&["SWP W11,W6,[X1]; LDR W5,[X1]; LDR W4,[X2]", other], old);
}

#[test]
fn what_depends_on_a_load_is_refused() {
    let refused = |thread: &str| std::panic::catch_unwind(|| comes_to(&[thread], "x=0 \\/ x=1")).is_err();
    assert!(!refused("LDR W4,[X1]; STR W11,[X2]"));
    for thread in [
        "LDR W4,[X1]; STR W4,[X2]",
        "LDR W4,[X1]; LDR W5,[X4]",
        "LDR W4,[X1]; STXR W8,W11,[X1]",
        "LDXR W4,[X1]; STXR W8,W11,[X2]",
        "LDXR W4,[X1]; LDR W5,[X2]; STXR W8,W11,[X1]",
        "LDR W4,[X1]; CBNZ W4,L1",
        "DMB OSH",
        "SWPX W11,W4,[X1]",
        "LDR W4,X1",
    ] {
        assert!(refused(thread), "{thread}");
    }
}
