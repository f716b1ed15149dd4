//! Pixel buffers: one channel group, rows without gaps.

/// A rectangle of samples, `channels` bytes per pixel, rows packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) channels: usize,
    pub(crate) data: Vec<u8>,
}

impl Plane {
    pub(crate) fn new(width: usize, height: usize, channels: usize, data: Vec<u8>) -> Self {
        debug_assert_eq!(data.len(), width * height * channels, "a plane has no gaps");
        Self { width, height, channels, data }
    }

    pub(crate) fn filled(width: usize, height: usize, channels: usize, value: u8) -> Self {
        Self::new(width, height, channels, vec![value; width * height * channels])
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks_exact(self.width * self.channels)
    }

    /// The part of this size whose upper left corner is at `left`, `top`.
    pub(crate) fn cut(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let bytes = left * self.channels..(left + width) * self.channels;
        let data = self.rows().skip(top).take(height).flat_map(|row| &row[bytes.clone()]).copied().collect();
        Self::new(width, height, self.channels, data)
    }

    /// Grows to `width` x `height` by repeating the last column and the last row.
    pub(crate) fn padded(&self, width: usize, height: usize) -> Self {
        let mut data = Vec::with_capacity(width * height * self.channels);
        for row in self.rows() {
            data.extend_from_slice(row);
            let last = &row[row.len() - self.channels..];
            for _ in self.width..width {
                data.extend_from_slice(last);
            }
        }
        let last_row = data[data.len() - width * self.channels..].to_vec();
        for _ in self.height..height {
            data.extend_from_slice(&last_row);
        }
        Self::new(width, height, self.channels, data)
    }
}
