//! What work is: kinds, arguments, results, policies, ids and states. No I/O, no async runtime.
