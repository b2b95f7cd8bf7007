-- What the stored events say of each session: one row for every key that has any.
-- Ties between events of one moment go to the lowest id, those of the hub first. The order in `told`
-- serves every column: requests, then readies, then ends, each by time and id; then what the portal
-- found in lists of the hub, and what it saw of pods. `session.found` and `pod.ready` say when the
-- server was ready where no event of the hub does, a pod only if the hub knows of no failure;
-- `pod.gone` says when it ended where nothing else does. `pod.ended` is an end like any other.
CREATE OR REPLACE FUNCTION hub_sessions_evidence(p_hub bigint, p_keys uuid[])
RETURNS TABLE (
    key uuid, decided_by text, user_name text, server text,
    requested_at timestamptz, ready_at timestamptz, stopped_at timestamptz,
    stopped_before_ready boolean, request jsonb, resources jsonb, ready jsonb, stop jsonb
) LANGUAGE sql STABLE AS $$
    SELECT k.key, e.*
    FROM unnest(p_keys) AS k (key) CROSS JOIN LATERAL (
        SELECT (array_agg(t.event_id))[1], (array_agg(t.user_name))[1], (array_agg(t.server))[1],
            min(t.time) FILTER (WHERE t.step = 1),
            min(t.ready_at),
            coalesce(min(t.time) FILTER (WHERE t.step = 3 AND NOT t.early),
                min(t.time) FILTER (WHERE t.step = 3),
                min(t.time) FILTER (WHERE t.step = 6 AND t.time >= t.ready_at)),
            coalesce(bool_or(t.early), false)
                OR min(t.ready_at) IS NULL AND bool_or(t.type = 'session.stopped'),
            (array_agg(t.data) FILTER (WHERE t.step = 1))[1],
            (array_agg(t.data -> 'resources') FILTER (WHERE t.step = 1 AND t.data ? 'resources'))[1],
            coalesce((array_agg(t.data) FILTER (WHERE t.step = 5))[1], '{}')
                || coalesce((array_agg(t.data) FILTER (WHERE t.step = 2))[1],
                    (array_agg(t.data) FILTER (WHERE t.step = 4))[1], '{}'),
            coalesce((array_agg(t.data) FILTER (WHERE t.step = 3 AND NOT t.early))[1],
                (array_agg(t.data) FILTER (WHERE t.step = 3))[1],
                (array_agg(t.data) FILTER (WHERE t.step = 6 AND t.time >= t.ready_at))[1])
        FROM (
            SELECT r.*, r.step = 3 AND coalesce(r.time < r.ready_at, false) AS early
            FROM (
                SELECT o.*, coalesce(min(o.time) FILTER (WHERE o.step = 2) OVER (),
                    min(o.time) FILTER (WHERE o.step = 4) OVER (),
                    CASE WHEN NOT bool_or(o.type = 'session.failed') OVER ()
                        THEN min(o.time) FILTER (WHERE o.step = 5) OVER () END) AS ready_at
                FROM (
                    SELECT h.event_id, h.user_name, h.server, h.time, h.type, h.data, CASE h.type
                        WHEN 'session.requested' THEN 1 WHEN 'session.ready' THEN 2
                        WHEN 'session.found' THEN 4 WHEN 'pod.ready' THEN 5
                        WHEN 'pod.gone' THEN 6 ELSE 3 END AS step
                    FROM hub_sessions_hubevent h WHERE h.hub_id = p_hub AND h.session = k.key
                ) o
            ) r
            ORDER BY r.step, r.time, r.type = 'pod.ended', r.event_id
        ) t
        HAVING count(*) > 0
    ) e
$$;
