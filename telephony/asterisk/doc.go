// Package asterisk is in charge of the calls that live in an Asterisk 22: over ARI, its REST interface, a channel becomes
// a telephony.Leg that behaves like one of the native driver (package sip). Nothing above can tell the two apart.
//
// # Where the audio meets
//
// Each leg has a mixing bridge in Asterisk with two channels in it: the caller's and an external media channel, which is
// plain RTP to a socket of ours. Prompts, rooms and recordings use the leg's media.Endpoint as everywhere. Only named
// music that loops is played by Asterisk itself: the caller leaves the bridge for it, and goes on hearing it when we die.
//
// # Who is alive
//
// Asterisk keeps an application's channels when its socket closes. On every connection, the first included, the driver
// lists what Asterisk has and brings both sides together (reconcile): legs whose channel is gone end, calls of an earlier
// process are offered for adoption by the variable HOTLINE_LEG, what nobody owns is destroyed. While Asterisk is away
// requests fail at once with ErrAway, and what ends here is hung up there when it comes back.
//
// # What Asterisk 22.10.1 does, found by experiment
//
//   - Our application, its channels and bridges outlive the socket, and GET /applications lists them before and after it
//     is opened again. Music on a channel goes on meanwhile. New calls do not: Stasis() fails while no socket is there.
//   - A channel that came in gives no ChannelDestroyed: our subscription ends with StasisEnd. Its cause is in
//     ChannelHangupRequest, and only if that is not soft: the 32 of a soft one is no cause of Q.850.
//     A soft one with bit 1 comes from rtp_timeout.
//   - A CANCEL before the answer has cause 127, a plain BYE 16 on calls in and none on calls out.
//   - Music on a channel goes on, and is heard, when the channel enters a bridge; it must be stopped.
//   - An unknown class of music is answered with 204, and the default class is played.
//   - A channel just made by /channels/externalMedia is not under our control yet: to add it to a bridge is refused with
//     422 until its StasisStart.
//   - A function that is not there is answered with 500, a variable with 404.
//   - A key is reported again within milliseconds when a re-INVITE comes between the packets of its end.
//   - chan_pjsip makes 603 of causes that it has no status for, of 16 too, when a call is refused.
//   - Asterisk closes a quiet HTTP connection after 15 s (session_keep_alive) and takes 100 at once (sessionlimit).
package asterisk
