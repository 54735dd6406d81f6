package aws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudfront"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/radpanel/radpanel/infra/machine"
)

const (
	// downloadSeed is the secret that all keys of downloads are made from. It leaves the state for nowhere.
	downloadSeed = "download-keys"
	seedBytes    = 32
	// scalarBytes are 64 bits more than the curve's order has: what is left of it is then as good as even, as
	// FIPS 186-5, appendix A.2.1, wants it.
	scalarBytes = 32 + 8
)

// downloadKeysArgs say which keys there are.
type downloadKeysArgs struct {
	// Prefix is the folder of the stack's parameters.
	Prefix string
	// Number is that of the key which signs.
	Number int
}

// downloadKeys are the keys that CloudFront trusts for downloads: the one that signs; the one after it, so that it is known
// everywhere by the time that it signs; and the one before it, until what it has signed is used up. The private key of the one
// that signs reaches its hosts by a parameter; the others are in no place but in the state's seed.
type downloadKeys struct {
	pulumi.ResourceState

	group *cloudfront.KeyGroup
	// id is what CloudFront calls the key that signs, and parameter holds its private half.
	id        pulumi.StringOutput
	parameter *ssm.Parameter
}

func newDownloadKeys(ctx *pulumi.Context, args downloadKeysArgs, options ...pulumi.ResourceOption) (*downloadKeys, error) {
	k := &downloadKeys{}
	if err := ctx.RegisterComponentResource("radpanel:aws:DownloadKeys", "download-keys", k, options...); err != nil {
		return nil, err
	}
	seed, err := random.NewRandomBytes(ctx, downloadSeed, &random.RandomBytesArgs{Length: pulumi.Int(seedBytes)},
		pulumi.Parent(k), pulumi.Protect(true))
	if err != nil {
		return nil, err
	}
	name := machine.DownloadKey(args.Number)
	private := seed.Base64.ApplyT(func(seed string) (string, error) {
		key, err := downloadKey(seed, args.Number)
		if err != nil {
			return "", err
		}
		packed, err := x509.MarshalPKCS8PrivateKey(key)
		return base64.StdEncoding.EncodeToString(packed), err
	}).(pulumi.StringOutput)
	k.parameter, err = ssm.NewParameter(ctx, name, &ssm.ParameterArgs{
		Name: pulumi.String(machine.SecretParameter(args.Prefix, name)), Type: pulumi.String("SecureString"), Value: private,
		Description: pulumi.String("What RAD Panel signs the addresses of downloads with, made by its Pulumi program"),
	}, pulumi.Parent(k))
	if err != nil {
		return nil, err
	}
	var trusted pulumi.StringArray
	for number := max(1, args.Number-1); number <= args.Number+1; number++ {
		public, err := publish(ctx, seed, number, pulumi.Parent(k))
		if err != nil {
			return nil, err
		}
		if trusted = append(trusted, public.ID()); number == args.Number {
			k.id = public.ID().ToStringOutput()
		}
	}
	k.group, err = cloudfront.NewKeyGroup(ctx, "downloads", &cloudfront.KeyGroupArgs{
		Items: trusted, Comment: pulumi.String("Who may sign addresses of downloads from RAD Panel " + ctx.Stack()),
	}, pulumi.Parent(k))
	if err != nil {
		return nil, err
	}
	return k, ctx.RegisterResourceOutputs(k, pulumi.Map{})
}

// publish tells CloudFront the public half of a key. It is no secret, although it is made from one.
func publish(ctx *pulumi.Context, seed *random.RandomBytes, number int, options ...pulumi.ResourceOption) (*cloudfront.PublicKey, error) {
	encoded := seed.Base64.ApplyT(func(seed string) (string, error) {
		key, err := downloadKey(seed, number)
		if err != nil {
			return "", err
		}
		packed, err := x509.MarshalPKIXPublicKey(key.Public())
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: packed})), err
	}).(pulumi.StringOutput)
	return cloudfront.NewPublicKey(ctx, machine.DownloadKey(number), &cloudfront.PublicKeyArgs{
		EncodedKey: pulumi.UnsecretWithContext(ctx.Context(), encoded).(pulumi.StringOutput),
		Comment:    pulumi.String(fmt.Sprintf("Key %d of downloads from RAD Panel %s", number, ctx.Stack())),
	}, options...)
}

// downloadKey gives a key of the curve P-256, the same each time for the same seed, in base64, and number. Who has one key
// learns nothing of another, nor of the seed.
func downloadKey(seed string, number int) (*ecdsa.PrivateKey, error) {
	secret, err := base64.StdEncoding.DecodeString(seed)
	if err != nil || len(secret) < seedBytes {
		return nil, errors.New(downloadSeed + ": expected 32 random bytes in base64") // Without the value.
	}
	stream, err := hkdf.Key(sha256.New, secret, nil, fmt.Sprintf("radpanel: key %d of downloads", number), scalarBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", downloadSeed, err)
	}
	// FIPS 186-5, appendix A.2.1: a number from 1 to the curve's order less one.
	one := big.NewInt(1)
	most := new(big.Int).Sub(elliptic.P256().Params().N, one)
	scalar := new(big.Int).Mod(new(big.Int).SetBytes(stream), most)
	scalar.Add(scalar, one)
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar.FillBytes(make([]byte, 32)))
}
