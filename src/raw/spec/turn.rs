//! A thread in the queue of a specification.

use crate::facade::spec::{Edge, Sleep};
use crate::wait::select::{Handing, Node};
use crate::wait::{Dequeued, Wakeup};

pub(crate) enum Turn {
    /// It waits for this object alone.
    Alone(Sleep),
    /// It waits for several objects.
    Selecting(Dequeued),
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Alone(_) => "Alone",
            Self::Selecting(_) => "Selecting",
        })
    }
}

impl Turn {
    pub(crate) fn selecting(node: Node<'_>) -> Self {
        Self::Selecting(node.queued())
    }

    /// Returns whether a selecting thread's node is to be put into `queue`.
    pub(crate) fn is_to_be_put<'a>(node: Node<'_>, queue: impl IntoIterator<Item = &'a Self>) -> bool {
        !node.is_claimed() && !queue.into_iter().any(|turn| turn.is_of(node))
    }

    pub(crate) fn is(&self, sleep: &Sleep) -> bool {
        matches!(self, Self::Alone(own) if own.is(sleep))
    }

    pub(crate) fn is_of(&self, node: Node<'_>) -> bool {
        matches!(self, Self::Selecting(own) if node.is(own))
    }

    /// Gives its thread what it waits for, which `take` takes: within a step, when it is out of the queue.
    /// Returns whether the thread could still have it.
    ///
    /// `nodes` is what a real queue's lock is to the nodes in it: released by the thread that puts its node
    /// in, and acquired by the thread that takes its own out. It is touched for selecting threads only, of
    /// which alone it promises a little more than their pages.
    #[track_caller]
    pub(crate) fn hand(self, nodes: &Edge, take: impl FnOnce()) -> bool {
        match self {
            Self::Alone(sleep) => {
                take();
                sleep.end();
                true
            }
            Self::Selecting(node) => {
                nodes.acquire();
                let handing = node.hand();
                if handing != Handing::Lost {
                    take();
                }
                nodes.release();
                if handing == Handing::Wake {
                    node.wake(Wakeup::HANDOFF);
                }
                handing != Handing::Lost
            }
        }
    }

    /// Returns whether its thread may be told to look, by [`notify`](Self::notify).
    pub(crate) fn claim(&self, nodes: &Edge) -> bool {
        match self {
            Self::Alone(_) => true,
            Self::Selecting(node) => {
                nodes.acquire();
                let claimed = node.claim_to_notify();
                nodes.release();
                claimed
            }
        }
    }

    /// Wakes its thread: within a step, when it is out of the queue.
    #[track_caller]
    pub(crate) fn notify(self) {
        match self {
            Self::Alone(sleep) => sleep.end(),
            Self::Selecting(node) => node.wake(Wakeup::WOKEN),
        }
    }
}
