//! Memory for tensors: zeroed, and large ones in huge pages where the system has them, since a kernel
//! that goes through many rows at a time would spend its time on page tables otherwise.

use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use memmap2::MmapMut;

/// Bytes from which on a buffer has pages of its own.
const LARGE: usize = 1 << 20;

/// A slice of a length that does not change.
pub(crate) struct Buffer<T>(Kind<T>);

enum Kind<T> {
    Small(Vec<T>),
    Large(MmapMut),
}

impl<T: Pod> Buffer<T> {
    /// All zero.
    pub(crate) fn new(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let pages = if bytes < LARGE { None } else { MmapMut::map_anon(bytes).ok() };
        let Some(pages) = pages else { return Self(Kind::Small(vec![T::zeroed(); len])) };
        // Advice: where it is not taken, pages are as large as they are.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Self(Kind::Large(pages))
    }

    /// A copy.
    pub(crate) fn of(values: &[T]) -> Self {
        let mut buffer = Self::new(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T: Pod> Default for Buffer<T> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<T: Pod> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::of(self)
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Kind::Small(values) => values,
            Kind::Large(pages) => cast_slice(pages),
        }
    }
}

impl<T: Pod> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Kind::Small(values) => values,
            Kind::Large(pages) => cast_slice_mut(pages),
        }
    }
}

impl<T: Pod + std::fmt::Debug> std::fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Pod + PartialEq> PartialEq for Buffer<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_buffers_are_zero_and_hold_what_is_written() {
        for len in [0, 1, LARGE / 4 - 1, LARGE / 4, LARGE] {
            let mut buffer = Buffer::<f32>::new(len);
            assert!(buffer.len() == len && buffer.iter().all(|value| *value == 0.0));
            buffer.fill(2.0);
            let copy = buffer.clone();
            buffer.fill(3.0);
            assert!(copy.len() == len && copy.iter().all(|value| *value == 2.0));
        }
    }
}
