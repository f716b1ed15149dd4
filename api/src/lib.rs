//! How work gets in and is watched.
