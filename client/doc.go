// Package client talks to a Cordon service.
//
//	c, err := client.New("http://127.0.0.1:8080", client.WithToken(token))
//	result, err := c.Run(ctx, client.RunRequest{Language: "python", Source: "print(6*7)"})
//
// What went wrong with a program is a verdict in its result. What went wrong with a request
// or the service is an error, and where the service said so a [*Problem]: errors.Is knows
// its code, as in errors.Is(err, client.ErrUnknownJob).
//
// A request is sent again only where that cannot run anything twice: after an answer that
// says that nothing has begun and when to come again (429 and 503 with Retry-After), and
// after a broken connection where the request may be repeated, as all that read, and
// [Client.Submit], which gives each job a key. See [WithRetries].
//
// The types of requests and results are made from the service's OpenAPI document. The
// package needs the standard library only. A Client may be used by many goroutines.
package client
