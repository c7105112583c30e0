//! Random programs: how many, and where those that failed are kept; and numbers that look as if by chance.

use proptest::test_runner::Config;

use crate::support::rounds;

/// So many random programs, after all that have ever failed: their seeds are kept in files beside this
/// folder, in `proptest-regressions`, which belong to the commit that mends the fault.
pub(crate) fn programs(cases: usize) -> Config {
    let mut config = Config { cases: u32::try_from(rounds(cases)).expect("few"), ..Config::default() };
    if cfg!(miri) {
        // Which shows programs no files.
        config.failure_persistence = None;
    }
    config
}

/// A small generator of numbers, which differ from seed to seed and not from run to run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }
}
