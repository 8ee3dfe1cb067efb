// Package media is in charge of audio: RTP in and out, prompts, relaying and mixing the parties of a talk, and handing
// what was said to recorders. It knows no signalling.
package media
