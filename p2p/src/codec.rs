//! Bytes behind a length prefix, which is checked before anything is read.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};

/// A codec whose requests and replies are bytes within limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    /// Greatest request.
    pub(crate) request: usize,
    /// Greatest reply.
    pub(crate) reply: usize,
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, limit: usize) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > limit {
        let text = format!("{length} bytes exceed the limit of {limit}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    // Grows as bytes arrive: a peer cannot make us reserve what it does not send.
    let mut body = Vec::new();
    io.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

async fn write<T: AsyncWrite + Unpin + Send>(
    io: &mut T,
    body: &[u8],
    limit: usize,
) -> io::Result<()> {
    if body.len() > limit {
        let text = format!("{} bytes exceed the limit of {limit}", body.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    io.write_all(&(body.len() as u32).to_be_bytes()).await?;
    io.write_all(body).await?;
    io.close().await
}

impl request_response::Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.request).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.reply).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        body: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &body, self.request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        body: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &body, self.reply).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    #[test]
    fn bodies_round_trip_and_limits_hold_both_ways() {
        let mut wire = Cursor::new(Vec::new());
        block_on(write(&mut wire, b"hello", 5)).unwrap();
        let bytes = wire.into_inner();
        assert_eq!(block_on(read(&mut Cursor::new(bytes.clone()), 5)).unwrap(), b"hello");
        assert!(block_on(read(&mut Cursor::new(bytes.clone()), 4)).is_err());
        assert!(block_on(read(&mut Cursor::new(&bytes[..6]), 5)).is_err(), "cut short");
        assert!(block_on(write(&mut Cursor::new(Vec::new()), b"hello!", 5)).is_err());
        let huge = u32::MAX.to_be_bytes();
        assert!(block_on(read(&mut Cursor::new(huge.to_vec()), 5)).is_err());
    }
}
