#![cfg(all(unix, not(miri)))]
