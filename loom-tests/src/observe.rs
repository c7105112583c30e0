//! What diagnosis reads: records that one thread writes and others read, and the list of those who write.

use lockwork::internals::{Cleared, Left, Noted, Places};

use crate::models::support::{Arc, model, reach, thread};

/// A reader gets the words of one number, while the owner goes on to the next.
#[test]
fn record_is_read_as_it_was_published() {
    model(&["nothing", "first", "second"], || {
        let record = Arc::new(Noted::default());
        let other = Arc::clone(&record);
        let reader = thread::spawn(move || match other.read() {
            None => reach("nothing"),
            Some((number, words)) => {
                assert_eq!(words, [number; 2]);
                reach(if number == 1 { "first" } else { "second" });
            }
        });
        assert!(record.publish(1));
        record.clear();
        assert!(record.publish(2));
        reader.join().unwrap();
    });
}

/// The same if another thread clears, which may be the reader itself or a third.
#[test]
fn record_that_another_clears_is_read_as_it_was_published() {
    model(&["published again", "not empty yet"], || {
        let record = Arc::new(Noted::default());
        assert!(record.publish(1));
        let others = [Arc::clone(&record), Arc::clone(&record)];
        let [other, cleared] = others;
        let owner =
            thread::spawn(move || reach(if other.publish(2) { "published again" } else { "not empty yet" }));
        let party = thread::spawn(move || cleared.clear());
        if let Some((number, words)) = record.read() {
            assert_eq!(words, [number; 2]);
        }
        owner.join().unwrap();
        party.join().unwrap();
    });
}

/// The same if the owner writes one word anew and leaves the other.
#[test]
fn word_that_stays_is_read_with_the_new_one() {
    model(&["nothing", "first", "second"], || {
        let record = Arc::new(Noted::default());
        let other = Arc::clone(&record);
        let reader = thread::spawn(move || match other.read() {
            None => reach("nothing"),
            Some((number, words)) => {
                assert_eq!(words, [1, number]);
                reach(if number == 1 { "first" } else { "second" });
            }
        });
        assert!(record.publish(1));
        record.clear();
        record.publish_second(2);
        reader.join().unwrap();
    });
}

/// What a thread waits for is not taken for the wait of the thread that had the slot before.
#[test]
fn wait_of_a_later_thread_is_not_the_earlier_ones() {
    model(&["no thread", "no wait", "the later one's", "changed meanwhile"], || {
        let (thread, wait) = (Arc::new(Noted::default()), Arc::new(Noted::default()));
        assert!(thread.publish(1));
        let slot = (Arc::clone(&thread), Arc::clone(&wait));
        let reader = thread::spawn(move || {
            let (thread, wait) = slot;
            let Some((number, _)) = thread.read() else { return reach("no thread") };
            let Some((of, _)) = wait.read() else { return reach("no wait") };
            if thread.number() == Some(number) {
                assert_eq!(of, number);
                reach("the later one's");
            } else {
                reach("changed meanwhile");
            }
        });
        thread.clear();
        assert!(thread.publish(2));
        assert!(wait.publish(2));
        reader.join().unwrap();
    });
}

/// An owner that is told that others have cleared finds what they have cleared, and is told of each.
#[test]
fn owner_finds_what_others_have_cleared() {
    model(&["both", "one", "later"], || {
        let records = Arc::new(Cleared::default());
        let others = [0, 1].map(|place| {
            let records = Arc::clone(&records);
            thread::spawn(move || records.clear(place))
        });
        let mut left = 2;
        match records.look() {
            Some(found) => {
                assert!(found < 2);
                reach(if found == 0 { "both" } else { "one" });
                left = found;
            }
            None => reach("later"),
        }
        for other in others {
            other.join().unwrap();
        }
        left = records.look().unwrap_or(left);
        assert_eq!(left, 0);
    });
}

/// A party that comes late clears nothing of another number.
#[test]
fn late_party_clears_its_own_number_alone() {
    model(&["its own", "too late"], || {
        let record = Arc::new(Noted::default());
        assert!(record.publish(1));
        let other = Arc::clone(&record);
        let owner = thread::spawn(move || {
            // On behalf of the party that does not come.
            if other.clear_if(1) {
                assert!(other.publish(2));
            }
        });
        reach(if record.clear_if(1) { "its own" } else { "too late" });
        owner.join().unwrap();
        assert!(matches!(record.read(), None | Some((2, [2, 2]))));
    });
}

/// A place passes from thread to thread with what is in it.
#[test]
fn place_is_taken_over_as_it_was_left() {
    model(&["taken over", "both new"], || {
        let places = Arc::new(Places::default());
        let other = Arc::clone(&places);
        let visitor = thread::spawn(move || other.visit());
        let own = places.visit();
        let others = visitor.join().unwrap();
        reach(if own + others == 0 { "both new" } else { "taken over" });
        assert!(own + others < 2);
    });
}

/// Who goes through the list finds each member as it was made.
#[test]
fn new_place_is_seen_as_it_was_made() {
    model(&["none", "one", "both"], || {
        let places = Arc::new(Places::default());
        let other = Arc::clone(&places);
        let visitor = thread::spawn(move || match &other.numbers()[..] {
            [] => reach("none"),
            [1] => reach("one"),
            [2, 1] => reach("both"),
            others => panic!("{others:?}"),
        });
        places.add(1);
        places.add(2);
        visitor.join().unwrap();
    });
}

/// What an ended thread has left is not taken for nothing.
#[test]
fn what_was_left_is_not_taken_for_nothing() {
    model(&["looked", "not left yet"], || {
        let left = Arc::new(Left::default());
        let other = Arc::clone(&left);
        let ends = thread::spawn(move || other.end());
        let (looked, found) = left.take_over();
        assert_eq!(found, None, "it is still there");
        reach(if looked { "looked" } else { "not left yet" });
        ends.join().unwrap();
    });
}
