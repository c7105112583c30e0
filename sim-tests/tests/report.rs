//! `cargo sim report`, `cargo sim versus`, `cargo sim ranges` and `cargo sim costs`; any other `cargo sim`
//! runs the tests of the library, and nothing here.

fn main() {
    #[cfg(sim)]
    if let Some(what) = std::env::args().nth(1) {
        sim_tests::print(&what);
    }
}
