package infra

// Loss tells in plain words what is lost with a resource of a type, such as "every row of the database". It is empty
// for a resource that holds nothing which cannot be made again.
func Loss(resourceType string) string {
	switch resourceType {
	case "radlocal:index:Host":
		return "the stack's folder with all data"
	case "radlocal:index:Secret":
		return "the key or password, and with a key all that was encrypted with it,"
	case "radlocal:index:Cluster", "radlocal:index:Database":
		return "every row of the panel's database"
	case "radlocal:index:Bucket":
		return "every uploaded file"
	case "aws:ebs/volume:Volume":
		return "every row of the panel's database, and what files are on the same disk,"
	case "aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2":
		return "every object in it: files, backups or releases"
	case "aws:rds/instance:Instance", "aws:rds/cluster:Cluster":
		return "every row of a shard of the panel's database"
	case "aws:efs/fileSystem:FileSystem":
		return "every file on it"
	case "aws:dynamodb/table:Table":
		return "every row of it"
	case "aws:ebs/snapshot:Snapshot", "aws:rds/snapshot:Snapshot":
		return "a backup"
	case "kubernetes:core/v1:PersistentVolumeClaim":
		return "what is on the disk that it claims"
	case "aws:kms/key:Key":
		return "whatever was encrypted with it"
	case "random:index/randomBytes:RandomBytes", "random:index/randomPassword:RandomPassword":
		return "a key or password, and with a key all that was encrypted with it,"
	default:
		return ""
	}
}
