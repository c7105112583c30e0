//! Where the example programs are.

use std::env;
use std::path::{Path, PathBuf};

/// The example that cargo builds together with this test: `<profile>/examples` beside `<profile>/deps`.
pub(crate) fn path(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a path of this test");
    let profile = test.parent().and_then(Path::parent).expect("a test in <profile>/deps");
    let program = profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is missing: `cargo test` builds it, `cargo test --test` does not; run `cargo build --example {name}`",
        program.display()
    );
    program
}
