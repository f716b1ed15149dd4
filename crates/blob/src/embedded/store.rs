//! The operations this project uses, on `s3s-fs`, with its gaps closed. All others answer `NotImplemented`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{MutexGuard, PoisonError},
    time::SystemTime,
};

use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopySource, CreateBucketInput,
        CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
        DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
        HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput,
        ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, PutObjectInput,
        PutObjectOutput, UploadPartInput, UploadPartOutput,
    },
    path::check_bucket_name,
    s3_error,
};
use s3s_fs::FileSystem;
use tokio::sync::Mutex;

use crate::Key;

// Object attributes are kept in a file named after bucket and key in base64, and a file's name ends at 255 bytes.
// For an upload in parts the name of the upload comes on top, which leaves too little for a real key. So all of them
// go under this name, one at a time when they are completed, and are then copied to their key.
const MULTIPART_KEY: &str = ".multipart";
const FILE_NAME_BYTES_MAX: usize = 255;

#[derive(Debug)]
pub(super) struct Store {
    files: FileSystem,
    dir: PathBuf,
    completing: Mutex<()>,
    /// Uploads in parts that began since this was opened, by their ids.
    begun: std::sync::Mutex<BTreeMap<String, Begun>>,
}

#[derive(Debug)]
struct Begun {
    bucket: String,
    key: String,
    at: SystemTime,
}

impl Store {
    pub(super) fn open(dir: &Path) -> Result<Self, s3s_fs::Error> {
        Ok(Self {
            files: FileSystem::new(dir)?,
            dir: dir.to_owned(),
            completing: Mutex::new(()),
            begun: std::sync::Mutex::default(),
        })
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<String, Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // An id that is not a name in our directory would be refused as forbidden; S3 says that there is no such upload.
    fn check_upload(&self, upload_id: &str) -> S3Result<()> {
        let is_id = upload_id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if is_id && self.dir.join(format!(".upload-{upload_id}.json")).exists() {
            Ok(())
        } else {
            Err(s3_error!(NoSuchUpload))
        }
    }
}

// `s3s-fs` joins the key to the bucket's directory: `../other/x` would be an object of another bucket.
fn check(bucket: &str, key: &str) -> S3Result<()> {
    if key == MULTIPART_KEY || Key::parse(key).is_err() {
        return Err(s3_error!(
            InvalidArgument,
            "The embedded S3 takes keys of A-Z a-z 0-9 . _ = - and / only"
        ));
    }
    let base64_bytes = |text: &str| (text.len() * 4).div_ceil(3);
    if ".bucket-.object-.metadata.json".len() + base64_bytes(bucket) + base64_bytes(key) > FILE_NAME_BYTES_MAX
    {
        return Err(s3_error!(KeyTooLongError, "The embedded S3 cannot store a key that long"));
    }
    Ok(())
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(req).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let is_outside = |prefix: &str| prefix.split('/').any(|segment| segment == "..");
        if req.input.prefix.as_deref().is_some_and(is_outside) {
            return Err(s3_error!(InvalidArgument));
        }
        self.files.list_objects_v2(req).await
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        self.files.put_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        self.files.get_object(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        self.files.head_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        self.files.delete_object(req).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        match &req.input.copy_source {
            CopySource::Bucket { bucket, key, .. } if check_bucket_name(bucket) => check(bucket, key)?,
            _ => return Err(s3_error!(InvalidArgument)),
        }
        self.files.copy_object(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        check(&bucket, &key)?;
        let mut response = self
            .files
            .create_multipart_upload(
                req.map_input(|input| CreateMultipartUploadInput { key: MULTIPART_KEY.to_owned(), ..input }),
            )
            .await?;
        if let Some(upload_id) = response.output.upload_id.clone() {
            self.begun().insert(upload_id, Begun { bucket, key: key.clone(), at: SystemTime::now() });
        }
        response.output.key = Some(key);
        Ok(response)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let (bucket, prefix) = (req.input.bucket, req.input.prefix.unwrap_or_default());
        let is_wanted = |begun: &Begun| begun.bucket == bucket && begun.key.starts_with(&prefix);
        let told = |(upload_id, begun): (&String, &Begun)| MultipartUpload {
            key: Some(begun.key.clone()),
            upload_id: Some(upload_id.clone()),
            initiated: Some(begun.at.into()),
            ..MultipartUpload::default()
        };
        let uploads = self.begun().iter().filter(|(_, begun)| is_wanted(begun)).map(told).collect();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        self.check_upload(&req.input.upload_id)?;
        self.files.upload_part(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        check(&bucket, &key)?;
        self.check_upload(&req.input.upload_id)?;
        let copy = CopyObjectInput::builder()
            .bucket(bucket.clone())
            .key(key.clone())
            .copy_source(CopySource::Bucket {
                bucket: bucket.clone().into(),
                key: MULTIPART_KEY.into(),
                version_id: None,
            })
            .build();
        let delete =
            DeleteObjectInput::builder().bucket(bucket.clone()).key(MULTIPART_KEY.to_owned()).build();
        let copy = copy.map_err(|error| s3_error!(error, InternalError))?;
        let delete = delete.map_err(|error| s3_error!(error, InternalError))?;
        let copy = alike(&req, copy);
        let delete = alike(&req, delete);

        self.begun().remove(&req.input.upload_id);
        let _alone = self.completing.lock().await;
        let put_together =
            self.files
                .complete_multipart_upload(req.map_input(|input| CompleteMultipartUploadInput {
                    key: MULTIPART_KEY.to_owned(),
                    ..input
                }))
                .await?;
        if let Some(rest) = put_together.output.future {
            rest.await?;
        }
        let copied = self.files.copy_object(copy).await?.output.copy_object_result;
        self.files.delete_object(delete).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: copied.and_then(|copied| copied.e_tag),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        check(&req.input.bucket, &req.input.key)?;
        self.check_upload(&req.input.upload_id)?;
        self.begun().remove(&req.input.upload_id);
        self.files
            .abort_multipart_upload(
                req.map_input(|input| AbortMultipartUploadInput { key: MULTIPART_KEY.to_owned(), ..input }),
            )
            .await
    }
}

// Another operation on behalf of the same client.
fn alike<T, U>(req: &S3Request<T>, input: U) -> S3Request<U> {
    S3Request {
        input,
        method: req.method.clone(),
        uri: req.uri.clone(),
        headers: req.headers.clone(),
        extensions: req.extensions.clone(),
        credentials: req.credentials.clone(),
        region: req.region.clone(),
        service: req.service.clone(),
        trailing_headers: None,
    }
}
