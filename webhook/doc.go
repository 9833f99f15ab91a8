// Package webhook tells somebody over HTTP that something has happened, as Standard
// Webhooks 1.0.0 has it: which URLs may be asked for (Hosts), how a message is signed
// (Secrets), one attempt to send it (Sender), and when the next one is made (Delay).
//
// Who asks for a webhook is not trusted, and the service stands inside of a network. So
// only hosts that the operator lists are asked, and never an address that is not public,
// unless it is listed itself. The address is looked at when it is dialled: what a name
// meant before does not count.
package webhook
