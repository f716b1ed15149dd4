//! How work gets done.
