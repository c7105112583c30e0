// Of which public types a longer-lived payload makes a longer-lived one: the table, which is compiled in two
// places.
//
// `tests/auto_traits.rs` checks by coercion that what is `covariant` is. `src/variance.rs` makes of each row
// that is `invariant` two programs, which `cargo test` runs with the documentation's: one that shortens the
// payload's life and must not compile, and its twin, which compiles.
//
// A type that takes a `T` by shared reference must be invariant in `T`: else a `&Type<&'static str>` passes
// for a `&Type<&'short str>`, a short-lived reference goes in, and comes out as a `&'static` one.

variance! {
    Mutex<T>                            => invariant;
    MutexGuard<'a, T>                   => invariant;
    MappedMutexGuard<'a, T>             => invariant;
    ArcMutexGuard<T>                    => invariant;
    RwLock<T>                           => invariant;
    RwLockReadGuard<'a, T>              => invariant;
    RwLockUpgradableReadGuard<'a, T>    => invariant;
    RwLockWriteGuard<'a, T>             => invariant;
    MappedRwLockReadGuard<'a, T>        => covariant;
    MappedRwLockWriteGuard<'a, T>       => invariant;
    ArcRwLockReadGuard<T>               => invariant;
    ArcRwLockUpgradableReadGuard<T>     => invariant;
    ArcRwLockWriteGuard<T>              => invariant;
    ReentrantMutex<T>                   => invariant;
    ReentrantMutexGuard<'a, T>          => invariant;
    MappedReentrantMutexGuard<'a, T>    => covariant;
    ArcReentrantMutexGuard<T>           => invariant;
    poison::Mutex<T>                    => invariant;
    poison::MutexGuard<'a, T>           => invariant;
    poison::MappedMutexGuard<'a, T>     => invariant;
    poison::RwLock<T>                   => invariant;
    poison::RwLockReadGuard<'a, T>      => covariant;
    poison::RwLockWriteGuard<'a, T>     => invariant;
    poison::MappedRwLockReadGuard<'a, T> => covariant;
    poison::MappedRwLockWriteGuard<'a, T> => invariant;

    OnceLock<T>                         => invariant;
    LazyLock<T>                         => invariant;
    Reading<'a, T>                      => invariant;
    Writing<'a, T>                      => invariant;
    poison::Reading<'a, T>              => invariant;
    poison::Writing<'a, T>              => invariant;
    channel::Sender<T>                  => invariant;
    channel::Receiver<T>                => invariant;
    channel::Iter<'a, T>                => invariant;
    channel::TryIter<'a, T>             => invariant;
    channel::IntoIter<T>                => invariant;
    channel::SendError<T>               => covariant;
    channel::TrySendError<T>            => covariant;
    channel::SendTimeoutError<T>        => covariant;
    BoundedBuffer<T>                    => invariant;
    BufferIter<'a, T>                   => invariant;
    BufferTryIter<'a, T>                => invariant;
    PriorityBuffer<T>                   => invariant;
    PriorityBufferIter<'a, T>           => invariant;
    PriorityBufferTryIter<'a, T>        => invariant;
    StackBuffer<T>                      => invariant;
    StackBufferIter<'a, T>              => invariant;
    StackBufferTryIter<'a, T>           => invariant;
    Getting<'a, T>                      => invariant;
    Putting<'a, T>                      => invariant;
    channel::Sending<'a, T>             => invariant;
    First1<T>                           => covariant;
    First2<T, T>                        => covariant;
    First3<T, T, T>                     => covariant;
    First4<T, T, T, T>                  => covariant;
    First5<T, T, T, T, T>               => covariant;
    First6<T, T, T, T, T, T>            => covariant;
    First7<T, T, T, T, T, T, T>         => covariant;
    First8<T, T, T, T, T, T, T, T>      => covariant;
    PutError<T>                         => covariant;
    TryPutError<T>                      => covariant;
    PutTimeoutError<T>                  => covariant;
    PutAllError<T>                      => covariant;

    ThreadCell<T>                       => invariant_static;
    ThreadLocal<T>                      => invariant;
    ThreadLocalIter<'a, T>              => covariant;
    ThreadLocalIterMut<'a, T>           => invariant;
    ThreadLocalIntoIter<T>              => covariant;

    Task<T>                             => invariant;
    ScopedTask<'a, T>                   => invariant;
    AsCompleted<T>                      => invariant;
    Map<T>                              => invariant;
    MapAhead<u8, u8, T>                 => invariant;
    Worker<T>                           => invariant;
    SubmitError<T>                      => covariant;
    TrySubmitError<T>                   => covariant;
    SubmitTimeoutError<T>               => covariant;

    // Of lives only.
    SemaphorePermit<'a>                 => covariant_life;
    Acquiring<'a>                       => covariant_life;
    Scope<'a, 'b>                       => invariant_life;
    Scope<'b, 'a>                       => invariant_life;
}
