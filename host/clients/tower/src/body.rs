//! An answer's body, which knows when it has been sent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::guard::Guard;

/// The app's own body unchanged, or the service's words where it refused.
pub struct MeteredBody<B>(Kind<B>);

enum Kind<B> {
    Passed(Pin<Box<B>>, Option<Guard>),
    Refused(Option<Bytes>),
}

impl<B> MeteredBody<B> {
    pub(crate) fn passed(body: B, guard: Option<Guard>) -> Self {
        Self(Kind::Passed(Box::pin(body), guard))
    }

    pub(crate) fn refused(body: Bytes) -> Self {
        Self(Kind::Refused(Some(body).filter(|body| !body.is_empty())))
    }
}

impl<B: Body<Data = Bytes>> Body for MeteredBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.get_mut().0 {
            Kind::Passed(body, guard) => {
                let frame = ready!(body.as_mut().poll_frame(context));
                if !matches!(frame, Some(Ok(_))) {
                    // It has ended; a body that is not asked to its end is dropped.
                    drop(guard.take());
                }
                Poll::Ready(frame)
            }
            Kind::Refused(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Passed(body, _) => body.is_end_stream(),
            Kind::Refused(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Passed(body, _) => body.size_hint(),
            Kind::Refused(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
        }
    }
}
