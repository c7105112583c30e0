//! `Mutex`, `MutexGuard`, `MappedMutexGuard`, `ArcMutexGuard`: what they promise beyond `tests/locks`.

mod exclusion;
mod guards;
mod hand_off;
mod payloads;
mod programs;
