//! Lists, one page after the other.

use futures::{Stream, TryStreamExt, stream};

use crate::Error;

/// A page of a list.
pub trait Page: Send + 'static {
    /// What is on it.
    type Item: Send + 'static;

    /// What is on it, and the cursor of the next page; none on the last one.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// What is on every page, as `fetch` gets them by their cursors. A page is asked for when it is wanted.
pub(crate) fn pages<P: Page, Fut>(
    fetch: impl FnMut(Option<String>) -> Fut + Send,
) -> impl Stream<Item = Result<P::Item, Error>> + Send
where
    Fut: Future<Output = Result<P, Error>> + Send,
{
    stream::try_unfold((fetch, Some(None)), |(mut fetch, cursor)| async move {
        let Some(cursor) = cursor else { return Ok(None) };
        let (items, next) = fetch(cursor).await?.split();
        Ok::<_, Error>(Some((stream::iter(items.into_iter().map(Ok)), (fetch, next.map(Some)))))
    })
    .try_flatten()
}
