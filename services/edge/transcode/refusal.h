/* Why the edge refuses a request by itself, before any call. */
#ifndef EDGE_TRANSCODE_REFUSAL_H
#define EDGE_TRANSCODE_REFUSAL_H

#define REFUSAL_FIELD_BYTES_MAX       128
#define REFUSAL_DESCRIPTION_BYTES_MAX 192

struct refusal {
    int reason;                          /* a Stampede__Api__V1__Reason number */
    char field[REFUSAL_FIELD_BYTES_MAX]; /* as the client spells it; empty: no field is at fault */
    char description[REFUSAL_DESCRIPTION_BYTES_MAX]; /* what is wrong and what is allowed */
};

#endif
