-- Write the records of these sessions anew. What a grant wrote stays where no event says otherwise;
-- user and group stay once the event that decided them is known, or an administrator decided.
CREATE OR REPLACE FUNCTION hub_sessions_apply(p_hub bigint, p_keys uuid[], p_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hub_sessions_session AS s (
        hub_id, key, user_name, server, seat, user_id, group_id, attributed_by,
        group_name, image, size, actor, checked, cpu_millicores, memory_mib, gpus,
        requested_at, ready_at, stopped_at, superseded_at, ended_at, end_source,
        end_reason, exit_code, message, ended_before_ready, pod, node, pod_uid, recorded_at, sub_name,
        affiliation, adopted_from, adopted_until, stop_source)
    SELECT p_hub, d.key, d.user_name, d.server, d.seat, d.user_id, d.group_id, d.attributed_by,
        coalesce(d.request ->> 'group', ''), coalesce(d.request ->> 'image', ''),
        coalesce(d.request ->> 'size', ''), coalesce(d.request ->> 'actor', ''),
        (d.request ->> 'checked')::boolean, (d.resources ->> 'cpu_millicores')::int,
        (d.resources ->> 'memory_mib')::int, (d.resources ->> 'gpus')::int,
        d.requested_at, d.ready_at, d.stopped_at, d.superseded_at, e.ended_at, e.end_source,
        coalesce(d.stop ->> 'reason', ''), (d.stop ->> 'exit_code')::int,
        coalesce(d.stop ->> 'message', ''),
        d.stopped_before_ready OR coalesce(d.superseded_at < d.ready_at, false),
        coalesce(d.ready ->> 'pod', ''), coalesce(d.ready ->> 'node', ''),
        coalesce(d.ready ->> 'pod_uid', ''), p_at, coalesce(d.request ->> 'sub_name', ''),
        hub_sessions_affiliation(d.user_id),
        (d.ready ->> 'since')::timestamptz, (d.ready ->> 'seen')::timestamptz,
        coalesce(d.stop ->> 'source', '')
    FROM hub_sessions_derived(p_hub, p_keys) d,
        hub_sessions_sourced_end(p_hub, d.ready_at, d.stopped_at, d.superseded_at, NULL,
            d.stop ->> 'source') e
    ORDER BY d.key
    ON CONFLICT (hub_id, key) DO UPDATE SET
        user_name = excluded.user_name, server = excluded.server, seat = excluded.seat,
        user_id = CASE
            WHEN s.attributed_at IS NOT NULL OR s.attributed_by = excluded.attributed_by
                THEN s.user_id
            ELSE excluded.user_id END,
        affiliation = CASE
            WHEN s.attributed_at IS NOT NULL OR s.attributed_by = excluded.attributed_by
                OR s.user_id = excluded.user_id
                THEN s.affiliation
            ELSE excluded.affiliation END,
        group_id = CASE
            WHEN s.is_rescue THEN NULL
            WHEN s.attributed_at IS NOT NULL OR s.attributed_by = excluded.attributed_by
                THEN s.group_id
            WHEN s.granted_group_id IS NOT NULL AND coalesce(excluded.checked, true)
                THEN s.granted_group_id
            ELSE excluded.group_id END,
        attributed_by = excluded.attributed_by,
        group_name = CASE WHEN excluded.requested_at IS NULL
            THEN s.group_name ELSE excluded.group_name END,
        image = CASE WHEN excluded.requested_at IS NULL THEN s.image ELSE excluded.image END,
        size = CASE WHEN excluded.requested_at IS NULL THEN s.size ELSE excluded.size END,
        actor = CASE WHEN excluded.requested_at IS NULL THEN s.actor ELSE excluded.actor END,
        checked = excluded.checked,
        sub_name = CASE WHEN s.granted_at IS NULL THEN excluded.sub_name ELSE s.sub_name END,
        cpu_millicores = coalesce(excluded.cpu_millicores, s.cpu_millicores),
        memory_mib = coalesce(excluded.memory_mib, s.memory_mib),
        gpus = coalesce(excluded.gpus, s.gpus),
        requested_at = excluded.requested_at, ready_at = excluded.ready_at,
        stopped_at = excluded.stopped_at, superseded_at = excluded.superseded_at,
        absent_at = CASE
            WHEN s.absent_at < coalesce(least(excluded.stopped_at, excluded.superseded_at), 'infinity')
            THEN s.absent_at END,
        (ended_at, end_source) = (SELECT e.ended_at, e.end_source FROM hub_sessions_sourced_end(
            p_hub, excluded.ready_at, excluded.stopped_at, excluded.superseded_at, s.absent_at,
            excluded.stop_source) e),
        stop_source = excluded.stop_source,
        end_reason = excluded.end_reason, exit_code = excluded.exit_code,
        message = CASE WHEN excluded.stopped_at IS NULL THEN s.message ELSE excluded.message END,
        ended_before_ready = excluded.ended_before_ready,
        adopted_from = excluded.adopted_from, adopted_until = excluded.adopted_until,
        pod = excluded.pod, node = excluded.node, pod_uid = excluded.pod_uid;
END $$;

-- Write the charges of these sessions, notebook and workers, and note the days that closed ones touch.
CREATE OR REPLACE FUNCTION hub_sessions_charge(p_hub bigint, p_keys uuid[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    closed hub_sessions_charge[];
    changed hub_sessions_charge[];
BEGIN
    closed := ARRAY(
        SELECT c FROM hub_sessions_these(p_hub, p_keys) s CROSS JOIN LATERAL (
            SELECT * FROM hub_sessions_charge f
            WHERE f.session_id = s.number AND f.origin = 'notebook' OFFSET 0
        ) c
        WHERE c.ended_at IS NOT NULL
    );
    WITH written AS (
        INSERT INTO hub_sessions_charge AS c (
            session_id, user_id, group_id, started_at, ended_at, cpu_millicores, memory_mib, gpus,
            sign, origin)
        SELECT s.number, s.user_id, s.group_id, s.ready_at, s.ended_at, s.cpu_millicores,
            coalesce(s.memory_mib, 0), coalesce(s.gpus, 0), 1, 'notebook'
        FROM hub_sessions_these(p_hub, p_keys) s
        WHERE s.ready_at IS NOT NULL AND s.cpu_millicores IS NOT NULL AND NOT s.is_rescue
        ON CONFLICT (session_id) WHERE origin = 'notebook' DO UPDATE SET
            user_id = excluded.user_id, group_id = excluded.group_id,
            started_at = excluded.started_at, ended_at = excluded.ended_at,
            cpu_millicores = excluded.cpu_millicores, memory_mib = excluded.memory_mib,
            gpus = excluded.gpus
        WHERE (c.user_id, c.group_id, c.started_at, c.ended_at,
                c.cpu_millicores, c.memory_mib, c.gpus)
            IS DISTINCT FROM (excluded.user_id, excluded.group_id, excluded.started_at,
                excluded.ended_at, excluded.cpu_millicores, excluded.memory_mib, excluded.gpus)
        RETURNING c
    )
    SELECT array_agg(w.c) INTO changed FROM written w
    WHERE (w.c).ended_at IS NOT NULL OR EXISTS (SELECT FROM unnest(closed) b WHERE b.id = (w.c).id);
    IF changed IS NOT NULL THEN
        PERFORM hub_sessions_note_days(changed || ARRAY(
            SELECT b FROM unnest(closed) b
            WHERE EXISTS (SELECT FROM unnest(changed) c WHERE c.id = b.id)));
    END IF;
    PERFORM hub_sessions_charge_workers(p_hub, p_keys);
END $$;

-- Note the UTC days of these charges, as far as they are closed, for the roll-ups.
CREATE OR REPLACE FUNCTION hub_sessions_note_days(p_charges hub_sessions_charge[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hub_sessions_staleday (day, group_id)
    SELECT DISTINCT day::date, c.group_id
    FROM unnest(p_charges) c CROSS JOIN LATERAL generate_series(
        date_trunc('day', c.started_at AT TIME ZONE 'UTC'),
        (c.ended_at - interval '1 second') AT TIME ZONE 'UTC', interval '1 day') AS day
    WHERE c.ended_at > c.started_at;
END $$;
